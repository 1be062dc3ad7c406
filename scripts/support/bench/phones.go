package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"portero/audio"
)

type codec = *audio.Codec

// setup is how a phone is to run.
type setup struct {
	name   string // of its directory and log
	server int    // port to register at; 0: none
	codec  codec
	file   string // WAV file that it says, at rate; "": silence, or for baresip what it hears
	rate   int    // of its card, Hz
	period string // of our card; "": 10 ms
	echo   bool   // echo canceller, noise suppression and gain control
}

// phone is a running station or its peer.
type phone struct {
	*process
	at   netip.AddrPort // its SIP port
	dial func() error   // the bell is pressed, or the user dials
}

const porteroConfig = `version = 1
[station]
data_dir = %[1]q
[sip]
listen = "127.0.0.1:%[2]d"
rtp_ports = "%[3]d-%[4]d"
[server]
enabled = "off"
[board]
sim = true
[log]
level = "error"
[audio]
card = %[5]q
rate = %[6]d
codecs = [%[7]q]
echo_cancelling = %[8]t
noise_suppression = %[8]t
gain_control = %[8]t
period = %[9]q
[incoming]
auto_answer = true
[[incoming.allow]]
from = "sip:caller@127.0.0.1"
source = "127.0.0.1"
auto_answer = true
`

const porteroAccount = `[[account]]
name = "home"
server = "127.0.0.1:%d"
user = "door"
password = "bench-password"
[[bell]]
name = "front"
line = "GPIO17"
targets = ["11"]
chime = "none"
`

// The station always has a bell; without a registrar it calls a port where nobody is.
const porteroBell = `[[bell]]
name = "front"
line = "GPIO17"
targets = ["sip:11@127.0.0.1:9"]
chime = "none"
`

// configurePortero writes the files of a station and returns its command line.
func (b *bench) configurePortero(s setup) (dir string, argv []string, port int, err error) {
	if dir, err = b.room(s.name); err != nil {
		return "", nil, 0, err
	}
	if port, err = freePorts(2); err != nil {
		return "", nil, 0, err
	}
	rtp, err := freePorts(20)
	if err != nil {
		return "", nil, 0, err
	}
	card, name := "none", "PCMU"
	if s.file != "" {
		card = "wav:" + s.file + ",/dev/null" // baresip records nothing either
	}
	if s.codec != nil {
		name = s.codec.Name
	}
	text := fmt.Sprintf(porteroConfig, dir, port, rtp, rtp+19, card, s.rate, name, s.echo, cmp.Or(s.period, "10ms"))
	if s.server != 0 {
		text += fmt.Sprintf(porteroAccount, s.server)
	} else {
		text += porteroBell
	}
	path := filepath.Join(dir, "portero.toml")
	return dir, []string{b.portero, "run", "-config", path}, port, os.WriteFile(path, []byte(text), 0o600)
}

func (b *bench) startPortero(s setup) (*phone, error) {
	dir, argv, port, err := b.configurePortero(s)
	if err != nil {
		return nil, err
	}
	p, err := start(dir, "portero", argv...)
	if err != nil {
		return nil, err
	}
	return &phone{process: p, at: netip.AddrPortFrom(loopback, uint16(port)), dial: func() error { return p.cmd.Process.Signal(syscall.SIGUSR2) }}, nil
}

// What a station needs of baresip and no more: no menu on the terminal, no video, the codecs of the bench.
const baresipConfig = `poll_method epoll
sip_listen 127.0.0.1:%[1]d
call_local_timeout 120
call_max_calls 4
audio_player aubridge,loop
audio_source %[2]s
audio_alert aubridge,bell
ausrc_srate %[3]d
auplay_srate %[3]d
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_ports %[4]d-%[5]d
rtcp_mux no
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%[6]d
`

func (b *bench) configureBaresip(s setup) (dir string, argv []string, port, control int, err error) {
	if err = need("baresip"); err != nil {
		return "", nil, 0, 0, err
	}
	if dir, err = b.room(s.name); err != nil {
		return "", nil, 0, 0, err
	}
	if port, err = freePorts(4); err != nil {
		return "", nil, 0, 0, err
	}
	rtp, err := freePorts(20)
	if err != nil {
		return "", nil, 0, 0, err
	}
	control = port + 2 // TCP; the next one to SIP is its TLS port
	source, name, account := "aubridge,loop", "PCMU", ";regint=0"
	if s.file != "" {
		source = "aufile," + s.file
	}
	if s.codec != nil {
		name = s.codec.Name
	}
	host := "127.0.0.1"
	if s.server != 0 {
		account, host = ";auth_pass=bench-password;regint=600", fmt.Sprintf("127.0.0.1:%d", s.server)
	}
	for file, text := range map[string]string{
		"config":   fmt.Sprintf(baresipConfig, port, source, s.rate, rtp, rtp+19, control),
		"accounts": fmt.Sprintf("<sip:door@%s>%s;answermode=auto;audio_codecs=%s\n", host, account, name),
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			return "", nil, 0, 0, err
		}
	}
	return dir, []string{"baresip", "-f", dir}, port, control, nil
}

func (b *bench) startBaresip(s setup) (*phone, error) {
	dir, argv, port, control, err := b.configureBaresip(s)
	if err != nil {
		return nil, err
	}
	p, err := start(dir, "baresip", argv...)
	if err != nil {
		return nil, err
	}
	var c net.Conn
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", control)); err == nil {
			break
		}
		if time.Now().After(deadline) {
			p.kill()
			return nil, p.failed(err)
		}
	}
	go func() { // what it tells is not needed, but it must not find a full socket
		var buf [4096]byte
		for {
			if _, err := c.Read(buf[:]); err != nil {
				return
			}
		}
	}()
	command, err := json.Marshal(map[string]string{"command": "dial", "params": fmt.Sprintf("sip:11@127.0.0.1:%d", s.server), "token": "t"})
	if err != nil {
		return nil, err
	}
	line := fmt.Sprintf("%d:%s,", len(command), command)
	return &phone{process: p, at: netip.AddrPortFrom(loopback, uint16(port)), dial: func() error {
		_, err := c.Write([]byte(line))
		return err
	}}, nil
}

// room makes a directory of that name.
func (b *bench) room(name string) (string, error) {
	dir := filepath.Join(b.work, strings.ReplaceAll(name, " ", "-"))
	return dir, os.MkdirAll(dir, 0o700)
}
