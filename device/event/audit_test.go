package event

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// audit runs an Audit over path while events are emitted, and returns what it logged.
func audit(t *testing.T, path string, maxBytes int64, events ...Event) string {
	t.Helper()
	var logged bytes.Buffer
	l := NewLog(1)
	a := NewAudit(l, path, maxBytes, slog.New(slog.NewTextHandler(&logged, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	for _, e := range events {
		l.Emit(e)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return logged.String()
}

func TestAuditKeepsOpeningsOverRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	audit(t, path, 1<<20, Event{Kind: BellPressed, Bell: "front"}, Event{Kind: DoorOpened, Door: "front", Who: "family", How: ByCode})
	audit(t, path, 1<<20, Event{Kind: CodeLockedOut, Call: "c1"})
	events, torn, err := ReadAudit(path)
	if err != nil || torn != 0 || len(events) != 2 {
		t.Fatalf("%+v, %d torn, %v", events, torn, err)
	}
	if e := events[0]; e.Kind != DoorOpened || e.Who != "family" || e.How != ByCode || e.At.IsZero() {
		t.Errorf("first: %+v", e)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
}

func TestAuditWritesWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		l := NewLog(1)
		a := NewAudit(l, path, 1<<20, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		l.Emit(Event{Kind: DoorOpened, Door: "front"})
		synctest.Wait()
		if events, _, err := ReadAudit(path); err != nil || len(events) != 1 {
			t.Errorf("%+v, %v", events, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAuditSurvivesTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	audit(t, path, 1<<20, Event{Kind: DoorOpened, Door: "a"}, Event{Kind: DoorOpened, Door: "b"})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(data, '\n') + 1
	for cut := first; cut < len(data); cut++ { // the power cut may come after any byte of the second line
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		audit(t, path, 1<<20, Event{Kind: DoorOpened, Door: "c"})
		events, torn, err := ReadAudit(path)
		if err != nil {
			t.Fatal(err)
		}
		whole := cut == first || cut == len(data)-1 // nothing of the line, or all but its newline
		if n := len(events); events[0].Door != "a" || events[n-1].Door != "c" || (torn == 0) != whole {
			t.Fatalf("cut at %d: %+v, %d torn", cut, events, torn)
		}
	}
}

func TestAuditIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	const limit = 2000
	for run := range 3 {
		var events []Event
		for i := range 60 {
			events = append(events, Event{Kind: DoorOpened, Door: strconv.Itoa(run*60 + i)})
		}
		if logged := audit(t, path, limit, events...); logged != "" {
			t.Fatal(logged)
		}
	}
	for _, p := range []string{path, path + ".1"} {
		fi, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Size() > limit || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %v", p, fi.Size(), fi.Mode())
		}
	}
	events, torn, err := ReadAudit(path)
	if err != nil || torn != 0 || len(events) < 20 {
		t.Fatalf("%d events, %d torn, %v", len(events), torn, err)
	}
	for i, e := range events { // the newest, without a gap, in order
		if want := strconv.Itoa(180 - len(events) + i); e.Door != want {
			t.Fatalf("event %d is %s, want %s", i, e.Door, want)
		}
	}
}

func TestAuditOutlivesDiskErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	logged := audit(t, filepath.Join(dir, "audit.jsonl"), 1<<20, Event{Kind: DoorOpened, Door: "front"})
	if !strings.Contains(logged, "audit lines are lost") || !strings.Contains(logged, "front") {
		t.Errorf("log: %s", logged)
	}
	if events, torn, err := ReadAudit(filepath.Join(dir, "audit.jsonl")); err != nil || torn != 0 || len(events) != 0 {
		t.Errorf("%v %d %v", events, torn, err)
	}
}
