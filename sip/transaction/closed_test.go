package transaction_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/fsm/fsmtest"
	"portero/sip/siptest"
	"portero/sip/transport"
)

// streamed is a stack on a stream with two scripted peers.
type streamed struct {
	*testing.T
	n          *siptest.Network
	tu         *tu
	near, away *siptest.Peer
}

func newStreamed(t *testing.T) *streamed {
	n := siptest.NewNetwork(1)
	n.Delay = time.Millisecond
	s := &streamed{T: t, n: n, near: n.NewPeerOn(t, sip.TCP, "10.0.0.2:5060"),
		away: n.NewPeerOn(t, sip.TCP, "10.0.0.3:5060"),
		tu:   &tu{requests: make(chan tuRequest, 16)}}
	s.tu.run(t, n.ListenOn(sip.TCP, stackAt.String()), fsmtest.NewLog())
	synctest.Wait()
	return s
}

// begin sends a request to a peer and returns it as the peer got it, with what the transaction user is told.
func (s *streamed) begin(method string, t transport.Target, p *siptest.Peer) (*sip.Request, chan tuTold) {
	s.Helper()
	req := sip.NewRequest(method, transport.URI("kitchen", sip.TCP, p.Addr))
	req.From = sip.Address{URI: transport.URI("door", sip.TCP, stackAt)}.WithTag("f")
	req.To, req.CallID, req.CSeq.Seq = sip.Address{URI: req.URI}, "call-of-"+p.Addr.String(), 1
	told := make(chan tuTold, 16)
	s.tu.stack.Post(func() {
		s.tu.stack.Request(req, t, func(res *sip.Response, err error) { told <- tuTold{res, err} })
	})
	return p.Request(method), told
}

func tcp(at netip.AddrPort) transport.Target { return transport.Target{Proto: sip.TCP, Addr: at} }

// §17.1.4: "When the client transaction sends a request to the transport layer to be sent, the following
// procedures are followed if the transport layer indicates a failure." On a stream the end of the connection
// is one, whatever was sent on it and when; a transaction on another connection hears nothing.
func TestConnectionEnds(t *testing.T) {
	for _, method := range []string{"INVITE", "OPTIONS"} {
		for _, rings := range []bool{false, true} {
			t.Run(method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStreamed(t)
					req, told := s.begin(method, tcp(s.near.Addr), s.near)
					_, other := s.begin(method, tcp(s.away.Addr), s.away)
					if rings {
						s.near.Respond(req, stackAt, 180, nil)
					}
					s.n.Close(s.near.Addr, stackAt)
					time.Sleep(time.Second)
					if rings { // it was under way before the end, and comes first
						if first := <-told; first.err != nil || first.res.Status != 180 {
							t.Fatalf("told %+v, want the 180", first)
						}
					}
					select {
					case got := <-told:
						if !errors.Is(got.err, siptest.ErrClosed) {
							t.Errorf("told %+v, want %v", got, siptest.ErrClosed)
						}
					default:
						t.Error("told nothing of the end of the connection")
					}
					if len(other) != 0 {
						t.Errorf("the transaction on another connection was told %+v", <-other)
					}
					if clients, _, _, _ := s.tu.stack.Held(); clients != 1 {
						t.Errorf("%d client transactions, want the other one", clients)
					}
				})
			})
		}
	}
}

// TestConnectionOfRequestEnds tells the owner of a server transaction (RFC 6026 §8.8), and answers by another
// connection to where the request came from (§18.2.2).
func TestConnectionOfRequestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreamed(t)
		s.near.Send(stackAt,
			[]byte("INVITE sip:door@10.0.0.1;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP "+
				"10.0.0.2:5060;branch=z9hG4bK1\r\n"+
				"From: <sip:a@b>;tag=1\r\nTo: <sip:door@10.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 "+
				"INVITE\r\nContent-Length: 0\r\n\r\n"))
		got := <-s.tu.requests
		failed := make(chan error, 1)
		s.tu.stack.Post(func() { got.tx.OnFail(func(err error) { failed <- err }) })
		synctest.Wait()
		s.n.Close(s.near.Addr, stackAt)
		if err := <-failed; !errors.Is(err, siptest.ErrClosed) {
			t.Errorf("told %v, want %v", err, siptest.ErrClosed)
		}
		s.near.Within(time.Second) // the end of the connection
		s.tu.stack.Post(func() { got.tx.Respond(sip.NewResponse(got.req, 486, "")) })
		s.near.Response(486)
	})
}

// TestDatagramsDoNotClose takes a failure without a connection and a Send for nobody's.
func TestDatagramsDoNotClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDrive(t)
		d.start("INVITE")
		flow := transport.Flow{Proto: sip.UDP, Local: stackAt, Remote: d.peer.Addr}
		d.wire.deliver(transport.Packet{Flow: flow, Err: errWire})
		d.toldNothing()
		d.holds(1, 0)
	})
}
