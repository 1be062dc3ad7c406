//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portero/scripts/support/voices"
)

// Linphone is linphonec told what to do on its standard input; it plays a file into the call and records what it hears.
type Linphone struct {
	*Process
	Port   int
	record string
	said   string // what a linphonec with settings of its own logs, whole messages among it
	rate   int    // Hz, of the recording
}

const linphoneConfig = `[sip]
sip_port=%[1]d
sip_tcp_port=0
sip_tls_port=0
use_ipv6=0
register_only_when_network_is_up=0
inc_timeout=60
default_proxy=0
media_encryption=none
[net]
mtu=1300
[rtp]
audio_rtp_port=%[2]d
audio_adaptive_jitt_comp_enabled=1
[sound]
echocancellation=0
agc=0
local_ring=
remote_ring=
ring=
[video]
capture=0
display=0
[proxy_0]
reg_proxy=<sip:127.0.0.1:%[3]d>
reg_identity=sip:%[4]s@127.0.0.1:%[3]d
reg_expires=600
reg_sendregister=1
publish=0
[auth_info_0]
username=%[4]s
passwd=%[5]s
domain=127.0.0.1
`

// StartLinphone starts linphonec as user of the registrar on 127.0.0.1:port; it says the clip in sayPath. More are further sections of
// its configuration, or keys of sections that it has.
func StartLinphone(t *testing.T, name, user, password string, port int, sayPath string, more ...string) *Linphone {
	t.Helper()
	need(t, "linphonec")
	dir := t.TempDir()
	l := &Linphone{Port: freePort(t), record: filepath.Join(dir, "heard.wav"), said: filepath.Join(dir, "debug.log")}
	path := filepath.Join(dir, "linphonerc")
	text := fmt.Sprintf(linphoneConfig, l.Port, freePorts(t, 2), port, user, password) + strings.Join(more, "")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{".local/share/linphone", ".config/linphone"} { // liblinphone does not make them
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	argv := []string{"linphonec", "-c", path, "-S"}
	if len(more) > 0 {
		argv = append(argv, "-d", "6", "-l", l.said)
	}
	l.Process = Start(t, name, dir, []string{"HOME=" + dir}, argv...)
	l.WaitLog(`linphonec>`, patience)
	l.Say("soundcard use files")
	l.WaitLog(`Using wav files`, patience)
	l.Say("play " + sayPath)
	l.Say("record " + l.record)
	l.Codec(linphonePCMA)
	return l
}

// The places of codecs in the list of Debian's linphonec 5.1.
const (
	linphonePCMA = 4
	linphoneG722 = 6
)

// Codec leaves one codec enabled.
func (l *Linphone) Codec(place int) {
	l.Say("codec disable all")
	l.Say(fmt.Sprintf("codec enable %d", place))
	l.rate = 8000
	if place == linphoneG722 {
		l.rate = 16000
	}
}

// Registered waits until the registrar has accepted the account. linphonec does not announce it, it must be asked.
func (l *Linphone) Registered() {
	l.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		l.Say("status register")
		if l.WaitLog(`(registered, identity|registered=)(\S*)`, patience)[1] == "registered, identity" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	l.t.Fatalf("interop: %s: not registered within %v", l.name, patience)
}

// Type types the family's code, one key after the other, and once more when it is not taken: two keys that a phone short of time
// sends as one are a wrong code, as under a finger.
func (l *Linphone) Type(st *Station, code string) {
	l.t.Helper()
	for attempt := 1; attempt <= 2; attempt++ {
		for _, key := range strings.Split(code, "") {
			l.Say(key)
			time.Sleep(400 * time.Millisecond) // linphonec sends a key of its own length at once; two in a row would overlap
		}
		if _, ok := st.Try("code.accepted", patience/2, "who=family"); ok {
			return
		}
	}
	l.t.Fatalf("interop: %s: its code was not accepted; events: %v", l.name, st.kinds())
}

// SoFar is what the phone has heard. Until the call is over the file's head is 44 zeros, and the samples are at the codec's rate.
func (l *Linphone) SoFar() voices.Clip {
	raw, err := os.ReadFile(l.record)
	if err != nil || len(raw) < 44 || raw[0] != 0 {
		return sofar(l.record)
	}
	return pcm(raw[44:], l.rate)
}
