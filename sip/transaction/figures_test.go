package transaction_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/fsm/fsmtest"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// TestFigures holds the tables against the figures of the RFCs: order, content, and a reason for each arrow
// that is missing.
func TestFigures(t *testing.T) {
	for name, f := range transaction.Figures() {
		t.Run(name, func(t *testing.T) { f.Check(t, "testdata/figures/"+name+".txt") })
	}
}

// tap is a transport whose last Send can be made to fail late, as an ICMP message would.
type tap struct {
	*siptest.Transport
	mu      sync.Mutex
	last    uint64
	deliver func(transport.Packet) bool
}

func (w *tap) Send(id uint64, t transport.Target, wire []byte) error {
	w.mu.Lock()
	if id != 0 {
		w.last = id
	}
	w.mu.Unlock()
	return w.Transport.Send(id, t, wire)
}

func (w *tap) Run(ctx context.Context, deliver func(transport.Packet) bool) error {
	w.mu.Lock()
	w.deliver = deliver
	w.mu.Unlock()
	return w.Transport.Run(ctx, deliver)
}

var errWire = errors.New("no route")

func (w *tap) fail() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deliver(transport.Packet{SendID: w.last, Err: errWire})
}

// tu is the transaction user of a figure's drive: it lets all in and says nothing by itself.
type tu struct {
	stack    *transaction.Stack
	requests chan tuRequest
}

type tuRequest struct {
	tx  *transaction.Server
	req *sip.Request
}

func (c *tu) Bind(s *transaction.Stack) { c.stack = s }
func (c *tu) Admit(transport.Flow, *sip.Request) transaction.Verdict {
	return transaction.Verdict{Take: func(tx *transaction.Server,
		req *sip.Request) {
		c.requests <- tuRequest{tx, req}
	}}
}
func (c *tu) Stray(_ transport.Flow, res *sip.Response) {}
func (c *tu) run(t *testing.T, wire transport.Transport, h slog.Handler) {
	s := transaction.NewStack(transaction.Config{Log: slog.New(h)}, c, wire)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stack: %v", err)
		}
	})
}

// drive is one run of a machine through a row: the stack at one end of a wire, a scripted peer at the other.
type drive struct {
	*testing.T
	s    *transaction.Stack
	wire *tap
	log  *fsmtest.Log
	peer *siptest.Peer
	tu   *tu
	mark time.Time

	client *transaction.Client
	told   chan tuTold
	req    *sip.Request // as the peer got or sent it
	server *transaction.Server
	failed chan error // what OnFail heard
}

type tuTold struct {
	res *sip.Response
	err error
}

// stackAt is where the stack of a drive listens.
var stackAt = netip.MustParseAddrPort("10.0.0.1:5060")

func newDrive(t *testing.T) *drive {
	n := siptest.NewNetwork(1)
	d := &drive{T: t, wire: &tap{Transport: n.Listen("10.0.0.1:5060")}, log: fsmtest.NewLog(),
		peer: n.NewPeer(t, "10.0.0.2:5060"),
		tu:   &tu{requests: make(chan tuRequest, 16)}, told: make(chan tuTold, 64),
		failed: make(chan error, 16), mark: time.Now()}
	d.tu.run(t, d.wire, d.log)
	d.s = d.tu.stack
	synctest.Wait() // the transport reads
	return d
}

// forEachRow runs one drive for each row of a figure and checks that the machine took it.
func forEachRow(t *testing.T, name string, drives map[string]func(*drive)) {
	f := transaction.Figures()[name]
	for i, row := range f.Rows {
		t.Run(row, func(t *testing.T) {
			play := drives[row]
			if play == nil {
				t.Fatal("no drive goes through this row")
			}
			synctest.Test(t, func(t *testing.T) {
				d := newDrive(t)
				play(d)
				synctest.Wait()
				if d.log.Taken(f.Steps[i]) == 0 {
					t.Errorf("the machine never took %+v", f.Steps[i])
				}
			})
		})
	}
	for row := range drives {
		if !slices.Contains(f.Rows, row) {
			t.Errorf("drive for %q, which is no row", row)
		}
	}
}

// since fails unless exactly d passed since the mark, and sets the mark anew.
func (d *drive) since(want time.Duration) {
	d.Helper()
	if got := time.Since(d.mark); got != want {
		d.Fatalf("it came after %v, want %v", got, want)
	}
	d.mark = time.Now()
}

// start sends a request from the stack and takes it in at the peer.
func (d *drive) start(method string) {
	d.Helper()
	req := sip.NewRequest(method, sip.URI{Scheme: "sip", User: "kitchen", Host: "10.0.0.2"})
	req.From = sip.Address{URI: sip.URI{Scheme: "sip", User: "door", Host: "10.0.0.1"}}.WithTag("f")
	req.To = sip.Address{URI: req.URI}
	req.CallID, req.CSeq = "call-1", sip.CSeq{Seq: 1, Method: method}
	d.s.Post(func() {
		d.client = d.s.Request(req, transport.Target{Proto: sip.UDP, Addr: d.peer.Addr},
			func(res *sip.Response, err error) {
				d.told <- tuTold{res, err}
			})
	})
	d.mark = time.Now()
	d.req = d.peer.Request(method)
	d.since(0)
}

// again fails unless the next thing the peer hears is the same request once more, after exactly the time
// since the mark.
func (d *drive) again(after time.Duration) {
	d.Helper()
	req := d.peer.Request(d.req.Method)
	if got, want := req.String(), d.req.String(); got != want {
		d.Fatalf("repeated request differs:\n%s\n%s", got, want)
	}
	d.since(after)
}

func (d *drive) respond(status int) {
	d.peer.Respond(d.req, stackAt, status, func(res *sip.Response) {
		if status > 100 {
			res.To = res.To.WithTag("t")
		}
	})
	synctest.Wait()
}

func (d *drive) toldStatus(status int) {
	d.Helper()
	synctest.Wait()
	select {
	case got := <-d.told:
		if got.err != nil || got.res.Status != status {
			d.Fatalf("TU was told %v, %v; want %d", got.res, got.err, status)
		}
	default:
		d.Fatalf("TU was not told of the %d", status)
	}
}

func (d *drive) toldErr(want error) {
	d.Helper()
	synctest.Wait()
	select {
	case got := <-d.told:
		if !errors.Is(got.err, want) {
			d.Fatalf("TU was told %v, %v; want error %v", got.res, got.err, want)
		}
	default:
		d.Fatalf("TU was not told of %v", want)
	}
}

func (d *drive) toldNothing() {
	d.Helper()
	synctest.Wait()
	select {
	case got := <-d.told:
		d.Fatalf("TU was told %v, %v; want nothing", got.res, got.err)
	case err := <-d.failed:
		d.Fatalf("TU was told of failure %v; want nothing", err)
	default:
	}
}

// holds fails unless the stack has so many transactions open.
func (d *drive) holds(clients, servers int) {
	d.Helper()
	synctest.Wait()
	if c, s, _, _ := d.s.Held(); c != clients || s != servers {
		d.Fatalf("the stack holds %d client and %d server transactions, want %d and %d", c, s, clients,
			servers)
	}
}

// timers fails unless the stack has so many timers running.
func (d *drive) timers(want int) {
	d.Helper()
	if _, _, got, _ := d.s.Held(); got != want {
		d.Fatalf("%d timers run, want %d", got, want)
	}
}

// endsAfter fails unless the only transaction ends exactly that long after the mark.
func (d *drive) endsAfter(want time.Duration) {
	d.Helper()
	time.Sleep(want - time.Since(d.mark) - time.Nanosecond)
	synctest.Wait()
	if c, s, _, _ := d.s.Held(); c+s == 0 {
		d.Fatalf("the transaction ended before %v", want)
	}
	time.Sleep(time.Nanosecond)
	d.holds(0, 0)
	if _, _, timers, _ := d.s.Held(); timers != 0 {
		d.Fatalf("%d timers outlive the transaction", timers)
	}
}
