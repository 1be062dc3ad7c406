//go:build boardtest

package boardtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"portero/scripts/support/interop"
	"portero/scripts/support/voices"
)

// Phone is a baresip with a file for a microphone, at an address of its own choice, whose waits report errors instead of failing a
// test: its test outlives the checks (cf. interop.Baresip).
type Phone struct {
	*interop.Process
	dir  string
	ctrl net.Conn

	mu     sync.Mutex
	events []phoneEvent
	grown  chan struct{}
}

type phoneEvent struct {
	At   time.Time
	Type string `json:"type"`
}

const phoneConfig = `poll_method epoll
sip_listen %[1]s:%[2]d
call_local_timeout 120
call_max_calls 4
audio_player aubridge,card
audio_source aufile,%[4]s/say.wav
audio_alert aubridge,bell
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_ports %[5]d-%[6]d
rtcp_mux no
net_interface %[1]s
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path %[4]s
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%[3]d
`

// startPhone registers user at the exchange and says the clip in say (8 kHz mono).
func startPhone(t *testing.T, host, user, password, say string) *Phone {
	t.Helper()
	p := &Phone{dir: t.TempDir(), grown: make(chan struct{})}
	for file, text := range map[string]string{
		"config":   fmt.Sprintf(phoneConfig, host, phonePort, phoneControl, p.dir, phoneRTP, phoneRTP+19),
		"accounts": interop.Account(user, password, host, exchangePort, ";regint=60") + "\n",
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(p.dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(say, filepath.Join(p.dir, "say.wav")); err != nil {
		t.Fatal(err)
	}
	p.Process = interop.Start(t, "baresip", p.dir, []string{"HOME=" + p.dir}, "baresip", "-f", p.dir, "-v")
	p.WaitLog(`\} 200 OK .*\[\d+ bindings?\]`, 2*outboard)
	var err error
	if p.ctrl, err = net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", phoneControl), outboard); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.ctrl.Close() })
	go interop.EachReport(p.ctrl, p.hear)
	return p
}

func (p *Phone) hear(text []byte) {
	e := phoneEvent{At: time.Now()}
	if json.Unmarshal(text, &e) != nil || e.Type == "" {
		return
	}
	p.mu.Lock()
	p.events = append(p.events, e)
	close(p.grown)
	p.grown = make(chan struct{})
	p.mu.Unlock()
}

// Command sends one of baresip's commands.
func (p *Phone) Command(command, params string) error {
	if err := interop.Tell(p.ctrl, command, params); err != nil {
		return fmt.Errorf("boardtest: tell the phone %s %s: %w", command, params, err)
	}
	return nil
}

// Find returns the events of that type (CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED ...) since then.
func (p *Phone) Find(since time.Time, kind string) []phoneEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []phoneEvent
	for _, e := range p.events {
		if e.Type == kind && !e.At.Before(since) {
			found = append(found, e)
		}
	}
	return found
}

// lines tells what was seen since then.
func (p *Phone) lines(since time.Time) (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if !e.At.Before(since) {
			lines = append(lines, e.At.Format("15:04:05.000")+" phone "+e.Type)
		}
	}
	return lines
}

// Await returns the first event of that type since then.
func (p *Phone) Await(since time.Time, atMost time.Duration, kind string) (phoneEvent, error) {
	deadline := time.After(atMost)
	for {
		p.mu.Lock()
		grown := p.grown
		p.mu.Unlock()
		if found := p.Find(since, kind); len(found) > 0 {
			return found[0], nil
		}
		select {
		case <-grown:
		case <-deadline:
			return phoneEvent{}, fmt.Errorf("boardtest: the phone: no %s within %v", kind, atMost)
		}
	}
}

// Hearing returns what the phone has heard so far in its latest call.
func (p *Phone) Hearing() (voices.Clip, error) {
	found, err := filepath.Glob(filepath.Join(p.dir, "dump-*-dec.wav")) // the names hold the time
	if err != nil {
		return voices.Clip{}, err
	}
	if len(found) == 0 {
		return voices.Clip{}, errors.New("boardtest: the phone has recorded nothing")
	}
	return voices.ReadWAV(slices.Max(found))
}
