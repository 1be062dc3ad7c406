package ua_test

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// TestCallOverSockets is a whole call over real sockets in real time.
func TestCallOverSockets(t *testing.T) {
	start := func(options func(*ua.Config)) (*ua.Agent, netip.AddrPort) {
		tr, err := transport.ListenUDP("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg := ua.Config{Log: slog.New(slog.NewTextHandler(t.Output(),
			&slog.HandlerOptions{Level: slog.LevelDebug})),
			Allow: func(transport.Flow, *sip.Request) int { return 0 }}
		options(&cfg)
		a := ua.New(cfg)
		runStack(t, transaction.NewStack(transaction.Config{}, a, tr))
		return a, tr.Addr()
	}
	ended := make(chan ua.CallEvent, 2)
	_, addr := start(func(c *ua.Config) {
		c.Incoming = func(call *ua.Call, ev ua.CallEvent) {
			switch ev.Kind {
			case ua.Offered:
				ev.Leg.Progress(180, nil)
				ev.Leg.Answer(offer)
			case ua.Ended:
				ended <- ev
			}
		}
	})
	a, _ := start(func(*ua.Config) {})
	answered := make(chan bool, 1)
	c := a.Invite(ua.Invite{To: mustURI(t, "sip:kitchen@"+addr.String()),
		From: mustURI(t, "sip:door@127.0.0.1"), Offer: plainOffer}, func(_ *ua.Call, ev ua.CallEvent) {
		switch ev.Kind {
		case ua.Answered:
			answered <- true
		case ua.Ended:
			ended <- ev
		}
	})
	wait := func(ok func() bool, what string) {
		t.Helper()
		if !ok() {
			t.Fatal(what)
		}
	}
	within := time.After(20 * time.Second)
	wait(func() bool {
		select {
		case <-answered:
			return true
		case <-within:
			return false
		}
	}, "never answered")
	c.Hangup()
	for range 2 {
		wait(func() bool {
			select {
			case ev := <-ended:
				return ev.Err == nil
			case <-within:
				return false
			}
		}, "never ended")
	}
}
