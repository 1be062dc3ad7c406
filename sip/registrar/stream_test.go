package registrar

import (
	"strings"
	"testing"
	"testing/synctest"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// TestTwoTransports calls a phone on a stream from one that sends datagrams: the INVITE goes by the
// connection that the REGISTER came by, and each side has a Record-Route of its own transport (RFC 5658 §4).
func TestTwoTransports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := siptest.NewNetwork(1)
		h := newTestServerOn(t, n, n.Listen(serverAddr.String()), nil, n.ListenOn(sip.TCP, "10.0.0.9:5061"))
		anna := &phone{t: t, addr: "10.0.0.1:5060", events: make(chan heard, 256),
			regs: make(chan ua.RegEvent, 256), byLeg: map[*ua.Leg]*ua.Call{}}
		anna.Agent = ua.New(ua.Config{Allow: func(transport.Flow, *sip.Request) int { return 0 },
			Incoming: func(c *ua.Call, ev ua.CallEvent) { anna.events <- heard{c, ev} }})
		run(t, transaction.NewStack(transaction.Config{}, anna.Agent, n.ListenOn(sip.TCP, anna.addr)))
		anna.acct = ua.NewAccount(ua.AccountConfig{AOR: uri(t, "sip:anna@"+domain),
			Server:   uri(t, "sip:10.0.0.9:5061;transport=tcp"),
			Password: "secret of anna"})
		anna.Register(anna.acct, func(ev ua.RegEvent) { anna.regs <- ev })
		if ev := anna.regEvent(); !ev.Registered || !ev.Contact.URI.Params.Has("transport") {
			t.Fatalf("registered %+v", ev)
		}
		door := h.registered("door", "10.0.0.6:5060")
		call := door.call("sip:anna@" + domain)
		offered := anna.want(ua.Offered)
		offered.Leg.Answer([]byte("v=0\r\n"))
		door.want(ua.Answered)
		anna.want(ua.Acked)
		call.Hangup()
		door.want(ua.Ended)
		anna.want(ua.Ended)
		saw := false
		for _, s := range n.Log() {
			req, _, err := sip.Parse([]byte(s.Wire))
			if err != nil {
				t.Fatal(err)
			}
			if req == nil || req.Method != sip.INVITE || s.To.String() != anna.addr {
				continue
			}
			saw = true
			if rr := req.RecordRoute; len(rr) != 2 || !strings.HasSuffix(rr[0].URI.String(),
				"@10.0.0.9:5061;transport=tcp;lr") ||
				!strings.HasSuffix(rr[1].URI.String(), "@10.0.0.9:5060;lr") {
				t.Errorf("Record-Route %v", rr)
			}
		}
		if !saw {
			t.Error("no INVITE came to the stream")
		}
		data, err := h.Save()
		if err != nil || strings.Contains(string(data), "anna") || !strings.Contains(string(data), "door") {
			t.Errorf("saved, %v:\n%s", err, data) // what a connection reaches ends with it
		}
	})
}
