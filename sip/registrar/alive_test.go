package registrar

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
)

// written is a log's text.
type written struct {
	mu sync.Mutex
	b  strings.Builder
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *written) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// TestSilentPhoneIsTold asks phones every one to two minutes: one that leaves three questions unanswered is
// told once and rung all the same, one that refuses them is there.
func TestSilentPhoneIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &written{}
		h := newTestServer(t, func(c *Config) {
			c.AskEvery = 90 * time.Second
			c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
		anna := h.raw("anna", "10.0.0.2:5060")
		register := func(expires string) {
			t.Helper()
			anna.wantStatus(200, anna.register("<sip:anna@10.0.0.2>;expires="+expires))
		}
		register("3600")
		for range 3 {
			start := time.Now()
			req, _ := anna.Within(2 * time.Minute)
			if req == nil || req.Method != sip.OPTIONS || req.URI.String() != "sip:anna@10.0.0.2" {
				t.Fatalf("want OPTIONS, got %v", req)
			}
			if d := time.Since(start); d < 55*time.Second {
				t.Errorf("asked after %v", d)
			}
			anna.Respond(req, serverAddr, 501, nil)
		}
		if w := log.text(); w != "" {
			t.Errorf("told %s", w)
		}
		deaf := anna.asked(3 * time.Minute)
		register("3600") // a refresh shows that it hears itself, not that it hears us
		deaf += anna.asked(6 * time.Minute)
		if w := log.text(); strings.Count(w, "level=WARN") != 1 || !strings.Contains(w, "anna") {
			t.Errorf("told %q after %d questions", w, deaf)
		}
		ben := h.registered("ben", "10.0.0.3:5060")
		c := ben.call("sip:anna@" + domain)
		for {
			req, _ := anna.Within(time.Second)
			if req == nil {
				t.Fatal("a silent phone is not rung")
			}
			if req.Method == sip.INVITE {
				break
			}
		}
		c.Hangup()
		register("0")
		anna.asked(time.Minute)
		if n := anna.asked(10 * time.Minute); n != 0 {
			t.Errorf("%d questions to a phone that is gone", n)
		}
	})
}

// asked returns how many messages come within d.
func (r *raw) asked(d time.Duration) (n int) {
	end := time.Now().Add(d)
	for req, res := r.Within(d); req != nil || res != nil; req, res = r.Within(time.Until(end)) {
		n++
	}
	return n
}
