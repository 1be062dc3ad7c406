//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"portero/scripts/support/voices"
)

// Baresip is a phone without a card: it says the clip it was started with and records what it hears.
type Baresip struct {
	*Process
	Port int
	dir  string
	ctrl net.Conn

	mu     sync.Mutex
	events []baresipEvent
	grown  chan struct{}
	seen   int
}

type baresipEvent struct {
	Event     bool   `json:"event"`
	Response  bool   `json:"response"`
	OK        bool   `json:"ok"`
	Data      string `json:"data"`
	Type      string `json:"type"`
	Class     string `json:"class"`
	AOR       string `json:"accountaor"`
	Direction string `json:"direction"`
	Peer      string `json:"peeruri"`
	Param     string `json:"param"`
}

const baresipConfig = `poll_method epoll
sip_listen 127.0.0.1:%[1]d
call_local_timeout 120
call_max_calls 4
audio_player aubridge,card
audio_source aufile,%[3]s/say.wav
audio_alert aubridge,bell
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_ports %[4]d-%[5]d
rtcp_mux no
net_interface 127.0.0.1
module_path %[6]s
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path %[3]s
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%[2]d
`

// StartBaresip starts a phone with the account line account (baresip's syntax), which says the clip in sayPath (8 kHz mono).
func StartBaresip(t *testing.T, name, account, sayPath string) *Baresip {
	t.Helper()
	need(t, "baresip")
	b := &Baresip{Port: freePort(t), dir: t.TempDir(), grown: make(chan struct{})}
	ctrl, rtp := freePort(t), freePorts(t, 20)
	modules := "/usr/lib/baresip/modules"
	files := map[string]string{
		"config":   fmt.Sprintf(baresipConfig, b.Port, ctrl, b.dir, rtp, rtp+19, modules),
		"accounts": account + "\n",
		"contacts": "",
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(b.dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(sayPath, filepath.Join(b.dir, "say.wav")); err != nil {
		t.Fatal(err)
	}
	b.Process = Start(t, name, b.dir, []string{"HOME=" + b.dir}, "baresip", "-f", b.dir, "-v")
	b.ctrl = dialUntil(t, b.Process, fmt.Sprintf("127.0.0.1:%d", ctrl), patience)
	t.Cleanup(func() { _ = b.ctrl.Close() })
	go EachReport(b.ctrl, b.hear)
	return b
}

func (b *Baresip) hear(text []byte) {
	var e baresipEvent
	if json.Unmarshal(text, &e) != nil {
		return
	}
	b.mu.Lock()
	b.events = append(b.events, e)
	close(b.grown)
	b.grown = make(chan struct{})
	b.mu.Unlock()
}

// Command sends one of baresip's commands.
func (b *Baresip) Command(command, params string) {
	b.t.Helper()
	if err := Tell(b.ctrl, command, params); err != nil {
		b.t.Fatalf("interop: tell %s %s %s: %v", b.name, command, params, err)
	}
}

// Await waits for the next event of that type (CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED, REGISTER_OK ...).
func (b *Baresip) Await(eventType string, atMost time.Duration) baresipEvent {
	b.t.Helper()
	deadline := time.After(atMost)
	for {
		b.mu.Lock()
		grown := b.grown
		for i := b.seen; i < len(b.events); i++ {
			if b.events[i].Event && b.events[i].Type == eventType {
				b.seen = i + 1
				b.mu.Unlock()
				return b.events[i]
			}
		}
		b.mu.Unlock()
		select {
		case <-grown:
		case <-deadline:
			b.t.Fatalf("interop: %s: no %s within %v; it saw %v", b.name, eventType, atMost, b.types())
		}
	}
}

// Saw reports whether an event of that type has come, now or before.
func (b *Baresip) Saw(eventType string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Event && e.Type == eventType {
			return true
		}
	}
	return false
}

func (b *Baresip) types() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, e := range b.events {
		out = append(out, e.Type)
	}
	return out
}

// Heard returns the recordings of what the phone heard, one per call, oldest first. They are complete once the call is over.
func (b *Baresip) Heard() []string {
	found, err := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// SoFar is what the phone has heard in its newest call.
func (b *Baresip) SoFar() voices.Clip {
	found := b.Heard()
	if len(found) == 0 {
		return voices.Clip{}
	}
	return sofar(found[len(found)-1])
}

// Account is a baresip account line that answers by command.
func Account(user, password, host string, port int, more string) string {
	return fmt.Sprintf("<sip:%s@%s:%d>;auth_pass=%s;answermode=manual;audio_codecs=PCMA%s", user, host, port, password, more)
}

// Registered waits for the 200 to REGISTER; the event for it may come before anybody listens, so the log tells. A
// baresip that gives up at a challenge with SHA-256 tries again after 30 to 60 s.
func (b *Baresip) Registered() {
	b.t.Helper()
	b.WaitLog(`\} 200 OK .*\[\d+ bindings?\]`, 75*time.Second)
}
