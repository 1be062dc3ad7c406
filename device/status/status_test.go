package status

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"portero/device"
)

func good() *Document {
	return &Document{File: "/etc/portero/portero.toml", Digest: "d1",
		Snapshot: device.Snapshot{Ready: true, About: device.About{Version: "1", Since: time.Unix(1e9, 0).UTC()},
			Accounts: []device.Account{{Name: "home", Registered: true}, {Name: "work", Registered: true}},
			Phones:   []device.Handset{{User: "kitchen", Contacts: 2}, {User: "hall"}}},
		Bells: []Bell{{"front", []string{"kitchen", "**9"}}, {"back", []string{"kitchen", "hall"}}}}
}

func TestSentence(t *testing.T) {
	for want, c := range map[string]struct {
		change func(*Document)
		good   bool
	}{
		"ready: rings kitchen, **9, hall; 2 of 2 accounts registered; 1 of 2 users have a phone here": {func(*Document) {}, true},
		"ready: rings a, b, c, d, e, f, 2 more": {func(d *Document) {
			d.Accounts, d.Phones, d.Bells = nil, nil, []Bell{{"front", strings.Split("abcdefgh", "")}}
		}, true},
		"starting: the port is in use":        {func(d *Document) { d.Snapshot, d.Starting = device.Snapshot{}, "the port is in use" }, false},
		"starting: the inputs are being read": {func(d *Document) { d.Ready = false }, false},
		"not ready: account home is not registered: 403 Forbidden": {func(d *Document) {
			d.Accounts = []device.Account{{Name: "home", Reason: "403 Forbidden"}}
		}, false},
		"not ready: account home is not registered yet":                              {func(d *Document) { d.Accounts = []device.Account{{Name: "home"}} }, false},
		"degraded: account work is not registered: no answer":                        {func(d *Document) { d.Accounts[1] = device.Account{Name: "work", Reason: "no answer"} }, false},
		"not ready: bell back rings nobody: no phone is registered as kitchen, hall": {func(d *Document) { d.Phones[0].Contacts = 0 }, false},
		"degraded: lines that cannot be had: bell:front":                             {func(d *Document) { d.Missing = []string{"bell:front"} }, false},
		"degraded: the sound card is lost: unplugged":                                {func(d *Document) { d.Card = device.Card{State: "lost", Reason: "unplugged"} }, false},
		"degraded: the last good copy, of 2001-09-09 01:46, stands in for the file, without codes, door garden: portero.toml:3: one [31m (and 2 more)": {func(d *Document) {
			d.StandIn = &device.StandIn{Copy: time.Unix(1e9, 0).UTC(), Out: []string{"codes", "door garden"}, Reason: "portero.toml:3: one\x1b[31m\nMAINPID=1\nthree"}
		}, false},
		"not ready: account home is not registered: no MAINPID=1":                       {func(d *Document) { d.Accounts = []device.Account{{Name: "home", Reason: "no\nMAINPID=1"}} }, false},
		"degraded: what the station before ran with stands in for the file: it is gone": {func(d *Document) { d.StandIn = &device.StandIn{Reason: "it is gone"} }, false},
	} {
		d := good()
		c.change(d)
		if line, ok := d.Sentence(); line != want || ok != c.good {
			t.Errorf("%q, good %v\nwant %q", line, ok, want)
		}
	}
}

// serve answers at a socket until the test ends.
func serve(t *testing.T, ask func(context.Context) (*Document, error)) (socket string, end func()) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, socket, ask) }()
	end = func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for range 1000 { // it is being bound, and closed to others
		if fi, err := os.Stat(socket); err == nil && fi.Mode().Perm() == 0o660 {
			return socket, end
		}
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("no socket of mode 0660")
	return "", nil
}

func TestAsk(t *testing.T) {
	socket, end := serve(t, func(context.Context) (*Document, error) { return good(), nil })
	for range 2 {
		d, err := Ask(t.Context(), socket)
		if err != nil || !reflect.DeepEqual(d, good()) {
			t.Errorf("%+v, %v", d, err)
		}
	}
	// What is said there is not listened to.
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("open the door\n"))
	var d Document
	if err := json.NewDecoder(conn).Decode(&d); err != nil || d.File == "" {
		t.Errorf("%+v, %v", d, err)
	}
	end()
	if _, err := Ask(t.Context(), socket); !errors.Is(err, ErrNotRunning) {
		t.Errorf("it has ended: %v", err)
	}
}

// TestHangingStationIsNotGood: one that gives no answer, or is stopped, is told apart from one that does not run.
func TestHangingStationIsNotGood(t *testing.T) {
	socket, end := serve(t, func(ctx context.Context) (*Document, error) {
		<-ctx.Done() // as device.Station.Ask
		return nil, ctx.Err()
	})
	if _, err := Ask(t.Context(), socket); !errors.Is(err, ErrHangs) {
		t.Errorf("its loop hangs: %v", err)
	}
	end()

	stopped := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", stopped)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	if _, err := Ask(ctx, stopped); !errors.Is(err, ErrHangs) {
		t.Errorf("the process is stopped: %v", err)
	}
}

func TestSocketOfOneThatWasKilled(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Ask(t.Context(), socket); !errors.Is(err, ErrNotRunning) {
		t.Errorf("it was killed: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, socket, func(context.Context) (*Document, error) { return good(), nil }) }()
	for {
		if _, err := Ask(t.Context(), socket); err == nil {
			break
		} else if !errors.Is(err, ErrNotRunning) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), file, nil); err == nil {
		t.Error("served in a file's place")
	}
	if text, err := os.ReadFile(file); string(text) != "mine" || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q, %v", text, err)
	}
}
