//go:build boardtest

package boardtest

import "time"

// How the board is wired.
const (
	gateContact = 0 // high: open
	rexButton   = 1 // low: pressed
	frontBell   = 2 // high: pressed
	backBell    = 4 // low: pressed
	frontRelay  = 5 // high: energised, for switchOn
	gateRelay   = 6 // low: energised, for gateOn
	tamper      = 7 // high: the case is open
	spare       = 7 // of a station that has no tamper contact
)

// atRest are the levels of the inputs that nobody touches.
var atRest = map[int]bool{gateContact: false, rexButton: true, frontBell: false, backBell: true, tamper: false}

const (
	switchOn     = 3 * time.Second
	gateOn       = time.Second
	stuckAfter   = 3 * time.Second
	heldOpen     = 2 * time.Second
	tamperBlock  = 10 * time.Second
	cardRate     = 16000 // Hz
	frontCode    = "4711#"
	gateCode     = "5820#"
	stationFile  = "/etc/portero/portero.toml" // as the unit has it
	stationGroup = 990                         // as the card has it (debian.sh)
	exchangeUser = "door"
)

// config is the station's file. %[1]s is the host, %[2]d the exchange's port, %[3]d the back door's phone
// on 10.0.2.2.
const config = `version = 1
[station]
name = "Front door"
[sip]
listen = ":5062"
public_address = "%[1]s"
rtp_ports = "40000-40019"
[[account]]
name = "home"
server = "%[1]s:%[2]d"
user = "door"
password = "knocker-17"
[[bell]]
name = "front"
line = "gpiochip0:2"
active_low = false
bias = "none"
stuck_after = "3s"
targets = ["kitchen"]
ring_limit = "30s"
talk_limit = "3m"
[[bell]]
name = "back"
line = "9030000.pl061:4"
stuck_after = "3s"
targets = ["sip:yard@10.0.2.2:%[3]d"]
ring_limit = "30s"
[[door]]
name = "front"
line = "gpiochip0:5"
switch_on = "3s"
longest = "6s"
hang_up_after = "0s"
[[door]]
name = "gate"
line = "gpiochip0:6"
active_low = true
switch_on = "1s"
longest = "6s"
hang_up_after = "0s"
[[code]]
who = "family"
code = "4711"
doors = ["front"]
[[code]]
who = "garden"
code = "5820"
doors = ["gate"]
[[input]]
name = "exit"
kind = "rex"
line = "gpiochip0:1"
door = "front"
[[input]]
name = "gate contact"
kind = "contact"
line = "gpiochip0:0"
active_low = false
door = "gate"
held_open_after = "2s"
[[input]]
name = "case"
kind = "tamper"
line = "gpiochip0:7"
active_low = false
[access]
tamper_block = "10s"
[audio]
card = "Loopback"
rate = 16000
period = "40ms"
[log]
format = "json"
`

// lone is the file of a station that needs no exchange: one bell, one door. %[1]d is the phone's port on
// 10.0.2.2, %[2]d the door's line, %[3]s the log's level.
const lone = `version = 1
[station]
name = "Garden"
[sip]
listen = ":5062"
rtp_ports = "40000-40019"
[[bell]]
name = "back"
line = "9030000.pl061:4"
stuck_after = "3s"
targets = ["sip:yard@10.0.2.2:%[1]d"]
ring_limit = "30s"
talk_limit = "3m"
[[door]]
name = "front"
line = "gpiochip0:%[2]d"
switch_on = "3s"
longest = "6s"
hang_up_after = "0s"
[[input]]
name = "exit"
kind = "rex"
line = "9030000.pl061:1"
door = "front"
[audio]
card = "Loopback"
rate = 16000
period = "40ms"
[log]
format = "json"
level = "%[3]s"
`
