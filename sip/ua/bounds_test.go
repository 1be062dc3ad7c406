package ua_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

func plainOffer(_ netip.Addr, _ transport.Target, done func([]byte, error)) { done(offer, nil) }

// pipe is a transport that the test feeds by hand and that counts what leaves by status.
type pipe struct {
	deliver chan func(transport.Packet) bool
	sent    map[int]int // only the loop writes
	wires   []string
}

func newPipe() *pipe {
	return &pipe{deliver: make(chan func(transport.Packet) bool, 1), sent: map[int]int{}}
}

func (p *pipe) Proto() sip.Proto { return sip.UDP }
func (p *pipe) Local(transport.Target) (netip.AddrPort, error) {
	return netip.MustParseAddrPort("10.0.0.1:5060"), nil
}
func (p *pipe) Send(_ uint64, _ transport.Target, wire []byte) error {
	var status int
	if _, err := fmt.Sscanf(string(wire), "SIP/2.0 %d ", &status); err != nil {
		status = -1 // a request
	}
	p.sent[status]++
	if len(p.wires) < 10 {
		p.wires = append(p.wires, string(wire))
	}
	return nil
}
func (p *pipe) Run(ctx context.Context, deliver func(transport.Packet) bool) error {
	p.deliver <- deliver
	<-ctx.Done()
	return ctx.Err()
}

var strangerFlow = transport.Flow{Proto: sip.UDP, Local: netip.MustParseAddrPort("10.0.0.1:5060"),
	Remote: netip.MustParseAddrPort("203.0.113.66:5060")}

func strangers(method string, i int) []byte {
	return fmt.Appendf(nil,
		"%[1]s sip:door@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "+
			"203.0.113.66:5060;branch=z9hG4bK%[2]d\r\nFrom: <sip:x@y>;tag=%[2]d\r\n"+
			"To: <sip:door@10.0.0.1>\r\nCall-ID: flood-%[2]d\r\nCSeq: 1 %[1]s\r\nContact: "+
			"<sip:x@203.0.113.66>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", method, i)
}

// flooded is an agent behind a pipe.
func flooded(t *testing.T, allow func(transport.Flow, *sip.Request) int) (*ua.Agent, *pipe,
	func(transport.Packet) bool) {
	p := newPipe()
	a := ua.New(ua.Config{Allow: allow, Incoming: func(*ua.Call, ua.CallEvent) {}})
	runStack(t, transaction.NewStack(transaction.Config{}, a, p))
	return a, p, <-p.deliver
}

// TestStrangersFlood sends 20,000 INVITEs of strangers: each is refused, none leaves a trace.
func TestStrangersFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, deliver := flooded(t, func(transport.Flow, *sip.Request) int { return 403 })
		for i := range 20000 {
			for !deliver(transport.Packet{Flow: strangerFlow, Data: strangers("INVITE", i)}) {
				synctest.Wait() // the inbox is full: let the loop work
			}
		}
		synctest.Wait()
		clients, servers, timers, _ := a.Stack().Held()
		if p.sent[403] != 20000 || len(p.sent) != 1 {
			t.Errorf("answers %v", p.sent)
		}
		if clients+servers+timers+openCalls(t, a) != 0 {
			t.Errorf("left over: %d, %d, %d, %d calls", clients, servers, timers, openCalls(t, a))
		}
	})
}

// TestInboxBound holds the loop up: what strangers send beyond the inbox is dropped, and what this process
// posts is served first.
func TestInboxBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, deliver := flooded(t, func(transport.Flow, *sip.Request) int { return 403 })
		held, release := make(chan bool), make(chan bool)
		a.Stack().Post(func() { close(held); <-release })
		<-held
		taken := 0
		for i := range 5000 {
			if deliver(transport.Packet{Flow: strangerFlow, Data: strangers("INVITE", i)}) {
				taken++
			}
		}
		if taken != transaction.InboxSize {
			t.Errorf("%d of 5000 were taken in, want %d", taken, transaction.InboxSize)
		}
		served := -1
		a.Stack().Post(func() { served = p.sent[403] })
		close(release)
		synctest.Wait()
		if served != 0 {
			t.Errorf("the posted call waited for %d strangers", served)
		}
		if p.sent[403] != transaction.InboxSize {
			t.Errorf("%d answers", p.sent[403])
		}
	})
}

// TestBellDuringFlood places a call while strangers fill the inbox again and again: its INVITE leaves at
// once.
func TestBellDuringFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, deliver := flooded(t, func(transport.Flow, *sip.Request) int { return 403 })
		held, release := make(chan bool), make(chan bool)
		a.Stack().Post(func() { close(held); <-release })
		<-held
		for i := 0; deliver(transport.Packet{Flow: strangerFlow, Data: strangers("INVITE", i)}); i++ {
		}
		a.Invite(ua.Invite{To: mustURI(t, "sip:kitchen@10.0.0.2"), Offer: plainOffer},
			func(*ua.Call, ua.CallEvent) {})
		close(release)
		synctest.Wait()
		if !strings.HasPrefix(p.wires[0], "INVITE sip:kitchen@10.0.0.2 ") {
			t.Errorf("first on the wire: %q", p.wires[0])
		}
	})
}

// busy is an agent that lets all calls in and refuses each, which keeps its transaction for 32 s. It answers
// those of the friend.
func busy(t *testing.T) (*ua.Agent, *pipe, func(transport.Packet) bool, chan ua.CallEventKind) {
	p, told := newPipe(), make(chan ua.CallEventKind, 16)
	a := ua.New(ua.Config{Allow: func(transport.Flow, *sip.Request) int { return 0 },
		Incoming: func(_ *ua.Call, ev ua.CallEvent) {
			if ev.Flow == friendFlow {
				told <- ev.Kind
				ev.Leg.Answer(offer)
			} else if ev.Kind == ua.Offered {
				ev.Leg.Reject(486)
			} else if ev.Leg.Remote().URI.User == "friend" {
				told <- ev.Kind
			}
		}})
	runStack(t, transaction.NewStack(transaction.Config{}, a, p))
	return a, p, <-p.deliver, told
}

var friendFlow = transport.Flow{Proto: sip.UDP, Local: strangerFlow.Local,
	Remote: netip.MustParseAddrPort("10.0.0.2:5060")}

// flood sends n requests of strangers and waits until all are done with.
func flood(deliver func(transport.Packet) bool, method string, n int) {
	for i := range n {
		for !deliver(transport.Packet{Flow: strangerFlow, Data: strangers(method, i)}) {
			synctest.Wait()
		}
	}
	synctest.Wait()
}

// TestTransactionBound opens more server transactions than one source may have: the rest is refused without
// state, and others have room.
func TestTransactionBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, deliver, _ := busy(t)
		flood(deliver, "INVITE", transaction.MaxServers+500)
		const refused = transaction.MaxServers + 500 - transaction.MaxShare
		if _, servers, _, _ := a.Stack().Held(); servers != transaction.MaxShare ||
			p.sent[486] != transaction.MaxShare || p.sent[503] != refused {
			t.Errorf("%d transactions, answers %v", servers, p.sent)
		}
		other := strangerFlow
		other.Remote = netip.MustParseAddrPort("203.0.113.67:5060")
		deliver(transport.Packet{Flow: other, Data: strangers("INVITE", 99998)})
		synctest.Wait()
		if p.sent[486] != transaction.MaxShare+1 {
			t.Error("one source took the room of another")
		}
		flood(deliver, "ACK", transaction.MaxServers)
		time.Sleep(time.Minute)
		if c, s, timers, _ := a.Stack().Held(); c+s+timers != 0 {
			t.Errorf("left over: %d, %d, %d", c, s, timers)
		}
		deliver(transport.Packet{Flow: strangerFlow, Data: strangers("INVITE", 99999)})
		synctest.Wait()
		if _, servers, _, _ := a.Stack().Held(); servers != 1 {
			t.Error("not served again after the flood")
		}
	})
}

// TestFullIsTold tells once in a minute that there is no room, and who asked for some.
func TestFullIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &captured{warnings: true, b: &strings.Builder{}}
		p := newPipe()
		a := ua.New(ua.Config{Allow: func(transport.Flow, *sip.Request) int { return 0 },
			Incoming: func(_ *ua.Call, ev ua.CallEvent) {
				if ev.Kind == ua.Offered {
					ev.Leg.Reject(486)
				}
			}})
		runStack(t, transaction.NewStack(transaction.Config{Log: slog.New(log)}, a, p))
		deliver := <-p.deliver
		told := func() int { return strings.Count(log.text(), "all server transactions are in use") }
		flood(deliver, "INVITE", transaction.MaxServers+500)
		if told() != 1 || !strings.Contains(log.text(), " source 203.0.113.66/32\n") {
			t.Errorf("told %d times, want once and with the source", told())
		}
		time.Sleep(time.Minute) // the refusals, never acknowledged, are over
		flood(deliver, "INVITE", transaction.MaxServers+500)
		if told() != 2 {
			t.Errorf("told %d times, want once again after a minute", told())
		}
	})
}

// TestOptionsFlood answers what anybody may ask, with its capabilities or a 420, and keeps nothing of it.
func TestOptionsFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, deliver := flooded(t, nil)
		flood(deliver, "OPTIONS", transaction.MaxServers+500)
		demanding := strings.Replace(string(strangers("OPTIONS", 99999)), "Max-Forwards",
			"Require: x-unheard-of\r\nMax-Forwards", 1)
		deliver(transport.Packet{Flow: strangerFlow, Data: []byte(demanding)})
		synctest.Wait()
		if p.sent[200] != transaction.MaxServers+500 || p.sent[420] != 1 || len(p.sent) != 2 {
			t.Errorf("answers %v", p.sent)
		}
		if c, s, timers, _ := a.Stack().Held(); c+s+timers != 0 {
			t.Errorf("state was made: %d, %d, %d", c, s, timers)
		}
	})
}

// TestCallInFlood has every transaction taken by strangers while a call goes on: its INFO, re-INVITE and BYE
// are served.
func TestCallInFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, deliver, told := busy(t)
		send := func(method, tag string, seq int) {
			deliver(transport.Packet{Flow: friendFlow, Data: fmt.Appendf(nil,
				"%[1]s sip:door@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKf%[3]d%[1]s\r\n"+
					"From: <sip:friend@10.0.0.2>;tag=k\r\nTo: <sip:door@10.0.0.1>%[2]s\r\nCall-ID: "+
					"friend\r\nCSeq: %[3]d %[1]s\r\n"+
					"Contact: <sip:friend@10.0.0.2>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", method,
				tag, seq)})
			synctest.Wait()
		}
		want := func(kind ua.CallEventKind) {
			t.Helper()
			select {
			case got := <-told:
				if got != kind {
					t.Fatalf("told %s, want %s", got, kind)
				}
			default:
				t.Fatalf("told nothing, want %s; answers %v", kind, p.sent)
			}
		}
		send("INVITE", "", 1)
		want(ua.Offered)
		_, res, err := sip.Parse([]byte(p.wires[0]))
		if err != nil {
			t.Fatal(err)
		}
		tag := ";tag=" + res.To.Tag()
		send("ACK", tag, 1)
		want(ua.Acked)
		flood(deliver, "INVITE", transaction.MaxServers)
		if p.sent[503] == 0 {
			t.Fatal("there was room left")
		}
		send("INFO", tag, 2)
		want(ua.Info)
		send("INVITE", tag, 3)
		want(ua.Offered)
		send("ACK", tag, 3)
		want(ua.Acked)
		send("BYE", tag, 4)
		want(ua.Ended)
	})
}

// TestMalformed sends what no parser accepts: 400 where there is somebody to answer, silence otherwise, a
// panic never.
func TestMalformed(t *testing.T) {
	good := string(strangers("OPTIONS", 1))
	without := func(name string) string {
		var b strings.Builder
		for line := range strings.Lines(good) {
			if !strings.HasPrefix(line, name+":") {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	with := func(old, new string) string {
		if !strings.Contains(good, old) {
			panic(old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct {
		wire   string
		status int // 0: silence
	}{
		"good":                     {good, 200},
		"no Via":                   {without("Via"), 0},
		"no From":                  {without("From"), 0},
		"no To":                    {without("To"), 0},
		"no Call-ID":               {without("Call-ID"), 0},
		"no CSeq":                  {without("CSeq"), 0},
		"Content-Length too large": {with("Content-Length: 0", "Content-Length: 99999"), 400},
		"Content-Length negative":  {with("Content-Length: 0", "Content-Length: -1"), 400},
		"Content-Length absurd": {with("Content-Length: 0", "Content-Length: 99999999999999999999999"),
			400},
		"CSeq of another method": {with("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), 400},
		"two From":               {with("From:", "From: <sip:z@z>;tag=2\r\nFrom:"), 400},
		"other version":          {with(" SIP/2.0\r\n", " SIP/3.0\r\n"), 505},
		"malformed ACK": {strings.ReplaceAll(with("Content-Length: 0", "Content-Length: -1"),
			"OPTIONS", "ACK"), 0},
		"malformed response": {"SIP/2.0 xyz\r\n" + strings.SplitN(good, "\r\n", 2)[1], 0},
		"stray response":     {"SIP/2.0 200 OK\r\n" + strings.SplitN(good, "\r\n", 2)[1], 0},
		"keep-alive":         {"\r\n\r\n", 0},
		"nothing":            {"", 0},
		"text":               {"hello\r\n\r\n", 0},
		"NULs":               {strings.Repeat("\x00", 100), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, p, deliver := flooded(t, nil)
				deliver(transport.Packet{Flow: strangerFlow, Data: []byte(c.wire)})
				synctest.Wait()
				switch {
				case c.status == 0 && len(p.sent) != 0:
					t.Errorf("want silence, sent %q", p.wires)
				case c.status != 0 && (p.sent[c.status] != 1 || len(p.sent) != 1):
					t.Errorf("want one %d, sent %q", c.status, p.wires)
				}
				if clients, servers, timers, _ := a.Stack().Held(); clients+servers+timers != 0 {
					t.Errorf("state was made: %d, %d, %d", clients, servers, timers)
				}
			})
		})
	}
}

// TestGarbage mutates messages of a call at random and throws them at an agent in the middle of one: it
// lives, and goes on.
func TestGarbage(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a := startUA(t, n, "10.0.0.1:5060", quiet, func(o *uaOptions) {
			o.on = func(*ua.Call,
				ua.CallEvent) {
			}
		})
		f := newFar(t, n, "10.0.0.2:5060", a)
		a.call(t, "sip:kitchen@10.0.0.2")
		req := f.Request("INVITE")
		f.answer(req, 180, "t")
		var seeds [][]byte
		for _, s := range n.Log() {
			seeds = append(seeds, []byte(s.Wire))
		}
		seeds = append(seeds, strangers("INVITE", 1), strangers("BYE", 2), strangers("CANCEL", 3),
			strangers("ACK", 4))
		rng := rand.New(rand.NewPCG(1, 1))
		for range 2000 {
			b := append([]byte(nil), seeds[rng.IntN(len(seeds))]...)
			for range 1 + rng.IntN(8) {
				switch i := rng.IntN(len(b)); rng.IntN(4) {
				case 0:
					b[i] = byte(rng.IntN(256))
				case 1:
					b = b[:i+1]
				case 2:
					b = append(b[:i], append([]byte{"\r\n:;<>\"@,"[rng.IntN(9)]}, b[i:]...)...)
				case 3:
					b = append(b[:i], b[min(len(b), i+rng.IntN(20)):]...)
				}
				if len(b) == 0 {
					break
				}
			}
			f.Send(f.at, b)
			synctest.Wait()
		}
		time.Sleep(5 * time.Minute)
		probe := newFar(t, n, "10.0.0.3:5060", a)
		probe.request("OPTIONS")
		probe.Response(200)
	})
}

// TestRunLeavesNothing counts goroutines before and after a stack ran with a call, a registration and timers
// open.
func TestRunLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		n := siptest.NewNetwork(1)
		a := ua.New(ua.Config{})
		s := transaction.NewStack(transaction.Config{}, a, n.Listen("10.0.0.1:5060"))
		if got := runtime.NumGoroutine(); got > before {
			t.Errorf("the constructors started %d goroutines", got-before)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		a.Invite(ua.Invite{To: mustURI(t, "sip:kitchen@10.0.0.2"), Offer: plainOffer},
			func(*ua.Call, ua.CallEvent) {})
		a.Register(ua.NewAccount(ua.AccountConfig{AOR: mustURI(t, "sip:door@10.0.0.3"),
			Server: mustURI(t, "sip:10.0.0.3")}), func(ua.RegEvent) {})
		time.Sleep(time.Second)
		if openCalls(t, a) == 0 {
			t.Error("no call under way")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		synctest.Wait()
		if got := runtime.NumGoroutine(); got > before {
			t.Errorf("%d goroutines left", got-before)
		}
	})
}

// TestAskedAfterTheEnd answers who asks a stack that is no more: with an error, and at once.
func TestAskedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ua.New(ua.Config{})
		s := transaction.NewStack(transaction.Config{}, a, siptest.NewNetwork(1).Listen("10.0.0.1:5060"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		if n, err := a.Calls(); n != 0 || err != nil {
			t.Errorf("%d calls, %v", n, err)
		}
		waiting := make(chan error, 1)
		s.Post(func() {
			go func() { // asks while the loop is busy with its last act
				_, err := a.Calls()
				waiting <- err
			}()
			cancel()
			time.Sleep(time.Second)
		})
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := <-waiting; err != nil && !errors.Is(err, transaction.ErrEnded) {
			t.Errorf("asked at the end: %v, want %v or an answer", err, transaction.ErrEnded)
		}
		if _, err := a.Calls(); !errors.Is(err, transaction.ErrEnded) {
			t.Errorf("calls after the end: %v, want %v", err, transaction.ErrEnded)
		}
		if _, _, _, err := s.Held(); !errors.Is(err, transaction.ErrEnded) {
			t.Errorf("held after the end: %v, want %v", err, transaction.ErrEnded)
		}
	})
}

// broken is a transport that dies.
type broken struct{ *pipe }

func (broken) Run(context.Context, func(transport.Packet) bool) error { return errWire }

// TestTransportDies ends Run with the transport's error.
func TestTransportDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := transaction.NewStack(transaction.Config{}, ua.New(ua.Config{}), broken{newPipe()})
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), errWire.Error()) ||
			!strings.Contains(err.Error(), "UDP") {
			t.Errorf("Run: %v", err)
		}
	})
}
