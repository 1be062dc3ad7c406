package device

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/device/config"
	"portero/sip"
	"portero/sip/transport"
	"portero/sip/ua"
)

// TestRefusedCallerIsTold: who may not call is in the log with the lines that would let it in, once a minute.
func TestRefusedCallerIsTold(t *testing.T) {
	for tables, remedy := range map[string]string{
		"": "below a new [[incoming.allow]]: from = 'sip:kitchen@10.0.0.2' and source = '10.0.0.2'",
		strings.ReplaceAll(allowKitchen, `source = "10.0.0.2"`, `source = "10.0.0.99"`): "with source = '10.0.0.99' only; " +
			"if it may call from where it did, write source = '10.0.0.2'",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			var told bytes.Buffer
			r.log = slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelWarn}))
			r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", tables)
			p := r.phone("10.0.0.2:5060")
			for _, wait := range []time.Duration{0, 30 * time.Second, 30 * time.Second} {
				time.Sleep(wait)
				p.dial("sip:door@10.0.0.1:5062")
				if ev := p.want(ua.Ended); ev.Status != 403 {
					t.Errorf("%+v", ev.CallEvent)
				}
			}
			if n := strings.Count(told.String(), "caller refused"); n != 2 || strings.Count(told.String(), remedy) != 2 {
				t.Errorf("told %d times, want %q in\n%s", n, remedy, &told)
			}
		})
	}
}

// TestRefusedCallersAreBounded, and what no line can name is not offered.
func TestRefusedCallersAreBounded(t *testing.T) {
	var told bytes.Buffer
	cfg, err := config.Parse(fmt.Appendf(nil, doorConfig, t.TempDir(), `"sip:kitchen@10.0.0.2"`, ""))
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPhone(cfg, nil, slog.New(slog.NewTextHandler(&told, nil)))
	if err != nil {
		t.Fatal(err)
	}
	from := func(user string) *sip.Request {
		req := sip.NewRequest(sip.INVITE, sip.URI{Scheme: "sip", User: "door", Host: "10.0.0.1"})
		req.From = sip.Address{URI: sip.URI{Scheme: "sip", User: user, Host: "10.0.0.2"}}
		return req
	}
	flow := transport.Flow{Proto: sip.UDP, Remote: netip.MustParseAddrPort("10.0.0.2:5060")}
	for _, user := range []string{"", "x'y", strings.Repeat("x", 500)} {
		told.Reset()
		p.admit(flow, from(user))
		if !strings.Contains(told.String(), "no [[incoming.allow]] can name it") || told.Len() > 500 {
			t.Errorf("%q: %s", user, &told)
		}
	}
	for i := range 1000 {
		if p.admit(flow, from(fmt.Sprint("user", i))) != 403 {
			t.Fatal("let in")
		}
	}
	if n := strings.Count(told.String(), "\n"); n > mostRefused {
		t.Errorf("%d lines", n)
	}
}
