package app

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"portero/sip/registrar"
)

// TestPhonesAreSavedAtTheEnd: a change that comes with the end is written, whichever is seen first.
func TestPhonesAreSavedAtTheEnd(t *testing.T) {
	users, err := registrar.New(registrar.Config{Realm: "home", Users: []registrar.User{{Name: "kitchen", Password: "kettle-on-8"}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		p := keepPhones(users, t.TempDir(), slog.New(slog.DiscardHandler), func(string, int) {})
		p.Changed()
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(p.path); err != nil {
			t.Fatal(err)
		}
	}
}
