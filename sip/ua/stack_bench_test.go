package ua_test

import (
	"context"
	"net/netip"
	"runtime"
	"testing"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// cable joins two stacks without a network between: a Send is the far end's arrival.
type cable struct {
	at      netip.AddrPort
	far     *cable
	deliver chan func(transport.Packet) bool
	to      func(transport.Packet) bool
}

func newCable() (a, b *cable) {
	a = &cable{at: netip.MustParseAddrPort("10.0.0.1:5060"), deliver: make(chan func(transport.Packet) bool,
		1)}
	b = &cable{at: netip.MustParseAddrPort("10.0.0.2:5060"), deliver: make(chan func(transport.Packet) bool,
		1)}
	a.far, b.far = b, a
	return a, b
}

func (c *cable) Proto() sip.Proto                               { return sip.UDP }
func (c *cable) Local(transport.Target) (netip.AddrPort, error) { return c.at, nil }
func (c *cable) Send(_ uint64, _ transport.Target, wire []byte) error {
	if c.to == nil {
		c.to = <-c.far.deliver
	}
	c.to(transport.Packet{Flow: transport.Flow{Proto: sip.UDP, Local: c.far.at, Remote: c.at}, Data: wire})
	return nil
}
func (c *cable) Run(ctx context.Context, deliver func(transport.Packet) bool) error {
	c.deliver <- deliver
	<-ctx.Done()
	return ctx.Err()
}

// callLine is two agents on a cable, one of which answers everything.
type callLine struct {
	a     *ua.Agent
	ended chan bool
	stop  func()
}

func newCallLine(tb testing.TB) *callLine {
	l := &callLine{ended: make(chan bool, 2)}
	near, far := newCable()
	l.a = ua.New(ua.Config{})
	callee := ua.New(ua.Config{Allow: func(transport.Flow, *sip.Request) int { return 0 },
		Incoming: func(_ *ua.Call, ev ua.CallEvent) {
			switch ev.Kind {
			case ua.Offered:
				ev.Leg.Progress(180, nil)
				ev.Leg.Answer(offer)
			case ua.Ended:
				l.ended <- true
			}
		}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	for _, s := range []*transaction.Stack{transaction.NewStack(transaction.Config{}, l.a, near),
		transaction.NewStack(transaction.Config{}, callee, far)} {
		go func() { done <- s.Run(ctx) }()
	}
	l.stop = func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				tb.Error(err)
			}
		}
	}
	return l
}

// call places one call and takes it down: INVITE, 180, 200, ACK, BYE, 200.
func (l *callLine) call(inv ua.Invite) {
	answered := make(chan bool, 1)
	c := l.a.Invite(inv, func(_ *ua.Call, ev ua.CallEvent) {
		switch ev.Kind {
		case ua.Answered:
			answered <- true
		case ua.Ended:
			l.ended <- true
		}
	})
	<-answered
	c.Hangup()
	<-l.ended
	<-l.ended
}

func benchInvite(tb testing.TB) ua.Invite {
	return ua.Invite{To: mustURI(tb, "sip:kitchen@10.0.0.2"), From: mustURI(tb, "sip:door@10.0.0.1"),
		Offer: plainOffer}
}

// BenchmarkCall is a whole call through two stacks.
func BenchmarkCall(b *testing.B) {
	const lifetime = 1000 // calls until the lingering transactions reach the stack's bound, less a reserve
	inv := benchInvite(b)
	b.ReportAllocs()
	var line *callLine
	goroutines := 0
	for i := 0; b.Loop(); i++ {
		if i%lifetime == 0 {
			b.StopTimer()
			if line != nil {
				line.stop()
			}
			line = newCallLine(b)
			b.StartTimer()
		}
		line.call(inv)
		goroutines = max(goroutines, runtime.NumGoroutine())
	}
	line.stop()
	b.ReportMetric(float64(goroutines), "goroutines")
}

// refusing feeds strangers' INVITEs to an agent and waits for each answer.
func refusing(tb testing.TB) (one func()) {
	sent := make(chan bool, 1)
	p := &counting{pipe: newPipe(), sent: sent}
	s := transaction.NewStack(transaction.Config{}, ua.New(ua.Config{}), p)
	runStack(tb, s)
	deliver := <-p.deliver
	wire := strangers("INVITE", 1)
	return func() {
		deliver(transport.Packet{Flow: strangerFlow, Data: wire})
		<-sent
	}
}

type counting struct {
	*pipe
	sent chan bool
}

func (c *counting) Send(uint64, transport.Target, []byte) error {
	c.sent <- true
	return nil
}

// BenchmarkStranger is one INVITE refused statelessly: what a flood costs.
func BenchmarkStranger(b *testing.B) {
	one := refusing(b)
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
}

// TestStrangerAllocs bounds what a stranger's INVITE allocates: parsing, the Via's received, a To tag and a
// response.
func TestStrangerAllocs(t *testing.T) {
	one := refusing(t)
	if n := testing.AllocsPerRun(500, one); n > strangerAllocs {
		t.Errorf("%v allocations, want at most %d", n, strangerAllocs)
	}
}

const strangerAllocs = 18

// TestCallAllocs bounds what a whole call allocates at both ends.
func TestCallAllocs(t *testing.T) {
	line := newCallLine(t)
	defer line.stop()
	inv := benchInvite(t)
	if n := testing.AllocsPerRun(500, func() { line.call(inv) }); n > callAllocs {
		t.Errorf("%v allocations, want at most %d", n, callAllocs)
	}
}

const callAllocs = 250
