package transaction_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/transaction"
)

// arrive sends a request from the peer and takes it in as the TU.
func (d *drive) arrive(method string) {
	d.Helper()
	req := sip.NewRequest(method, sip.URI{Scheme: "sip", User: "door", Host: "10.0.0.1"})
	req.Via = []sip.Via{{Transport: "UDP", Host: "10.0.0.2", Port: 5060, Params: ";branch=z9hG4bKpeer1"}}
	req.From = sip.Address{URI: sip.URI{Scheme: "sip", User: "kitchen", Host: "10.0.0.2"}}.WithTag("f")
	req.To = sip.Address{URI: req.URI}
	req.CallID, req.CSeq = "call-1", sip.CSeq{Seq: 1, Method: method}
	d.req = req
	d.peer.Send(stackAt, req.Append(nil))
	synctest.Wait()
	d.server = (<-d.tu.requests).tx
	d.s.Post(func() { d.server.OnFail(func(err error) { d.failed <- err }) })
	d.mark = time.Now()
}

// repeat sends the request once more: the TU must not hear of it.
func (d *drive) repeat() {
	d.Helper()
	d.peer.Send(stackAt, d.req.Append(nil))
	synctest.Wait()
	if len(d.tu.requests) > 0 {
		d.Fatal("a retransmission reached the TU")
	}
}

// answer has the TU respond; the peer must get it at once.
func (d *drive) answer(status int) *sip.Response {
	d.Helper()
	d.mark = time.Now()
	d.s.Post(func() { d.server.Respond(sip.NewResponse(d.req, status, "")) })
	res := d.peer.Response(status)
	d.since(0)
	return res
}

// acknowledge sends the ACK of the INVITE's response on the INVITE's branch.
func (d *drive) acknowledge(res *sip.Response) {
	ack := sip.NewRequest("ACK", d.req.URI)
	ack.Via, ack.From, ack.To, ack.CallID, ack.CSeq = d.req.Via, d.req.From, res.To, d.req.CallID,
		sip.CSeq{Seq: 1, Method: "ACK"}
	d.peer.Send(stackAt, ack.Append(nil))
	synctest.Wait()
	d.mark = time.Now()
}

// same fails unless the next thing the peer hears is the same response again, exactly that long after the
// mark.
func (d *drive) same(res *sip.Response, after time.Duration) {
	d.Helper()
	if again := d.peer.Response(res.Status); again.String() != res.String() {
		d.Fatalf("repeated response differs:\n%s\n%s", again, res)
	}
	d.since(after)
}

func (d *drive) heardFailure(want error) {
	d.Helper()
	synctest.Wait()
	select {
	case err := <-d.failed:
		if !errors.Is(err, want) {
			d.Fatalf("TU heard %v, want %v", err, want)
		}
	default:
		d.Fatalf("TU did not hear of %v", want)
	}
}

func TestFigure7(t *testing.T) {
	in := func(play func(*drive)) func(*drive) { return func(d *drive) { d.arrive("INVITE"); play(d) } }
	failsLate := func(d *drive) {
		d.wire.fail()
		d.heardFailure(errWire)
		d.holds(0, 1)
	}
	forEachRow(t, "7", map[string]func(*drive){
		"Proceeding  request -> Proceeding: send response (17.2.1)": in(func(d *drive) {
			res := d.answer(180)
			time.Sleep(time.Second)
			d.repeat()
			d.same(res, time.Second)
		}),
		"Proceeding  TU-1xx -> Proceeding: send response (17.2.1)": in(func(d *drive) {
			d.answer(180)
			d.answer(183)
			d.peer.Silence(time.Minute)
			d.holds(0, 1)
		}),
		"Proceeding  transport-error -> Proceeding: inform TU (RFC 6026 " +
			"8.8)": in(func(d *drive) { d.answer(180); failsLate(d); d.answer(200) }),
		"Proceeding  TU-300-699 -> Completed: send response, start timers G and H " +
			"(17.2.1)": in(func(d *drive) {
			res := d.answer(486)
			d.same(res, 500*time.Millisecond)
			d.mark = d.mark.Add(-500 * time.Millisecond)
			d.endsAfter(32 * time.Second)
			d.heardFailure(transaction.ErrTimeout)
		}),
		"Proceeding  TU-2xx -> Accepted: send response, start timer L (RFC 6026 8.7)": in(func(d *drive) {
			d.answer(200)
			d.peer.Silence(31 * time.Second) // repeating a 2xx is the TU's business
			d.endsAfter(32 * time.Second)
			d.toldNothing()
		}),
		"Completed  request -> Completed: send response (17.2.1)": in(func(d *drive) {
			res := d.answer(486)
			d.repeat()
			d.same(res, 0)
		}),
		"Completed  timer-G -> Completed: send response, restart timer G (17.2.1)": in(func(d *drive) {
			res := d.answer(486)
			for _, after := range []time.Duration{500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000} {
				d.same(res, after*time.Millisecond)
			}
			d.peer.Silence(time.Minute)
		}),
		"Completed  transport-error -> Completed: inform TU (RFC 6026 " +
			"8.8)": in(func(d *drive) { d.answer(486); failsLate(d) }),
		"Completed  timer-H -> Terminated: inform TU (17.2.1)": in(func(d *drive) {
			d.answer(486)
			d.endsAfter(32 * time.Second)
			d.heardFailure(transaction.ErrTimeout)
		}),
		"Completed  ACK -> Confirmed: start timer I (17.2.1)": in(func(d *drive) {
			d.acknowledge(d.answer(486))
			d.timers(1) // G and H are stopped, I runs
			d.peer.Silence(4 * time.Second)
			d.repeat()
			d.peer.Silence(500 * time.Millisecond)
			d.holds(0, 1)
			d.endsAfter(5 * time.Second)
			d.toldNothing()
		}),
		"Confirmed  timer-I -> Terminated (17.2.1)": in(func(d *drive) {
			res := d.answer(603)
			d.acknowledge(res)
			time.Sleep(time.Second)
			mark := d.mark
			d.acknowledge(res) // a repeated ACK changes nothing
			d.mark = mark
			d.endsAfter(5 * time.Second)
		}),
		"Accepted  request -> Accepted (RFC 6026 8.7)": in(func(d *drive) {
			d.answer(200)
			d.repeat()
			d.peer.Silence(time.Second)
			d.holds(0, 1)
		}),
		"Accepted  ACK -> Accepted: ACK to TU (RFC 6026 8.7)": in(func(d *drive) {
			d.acknowledge(d.answer(200))
			if got := <-d.tu.requests; got.req.Method != "ACK" {
				d.Fatalf("TU got %s", got.req.Method)
			}
			d.holds(0, 1)
		}),
		"Accepted  TU-2xx -> Accepted: send response (RFC 6026 8.7)": in(func(d *drive) {
			d.answer(200)
			time.Sleep(time.Second)
			d.answer(200)
			d.holds(0, 1)
		}),
		"Accepted  transport-error -> Accepted: inform TU (RFC 6026 " +
			"8.8)": in(func(d *drive) { d.answer(200); failsLate(d) }),
		"Accepted  timer-L -> Terminated (RFC 6026 " +
			"8.7)": in(func(d *drive) { d.answer(200); d.endsAfter(32 * time.Second) }),
	})
}

func TestFigure8(t *testing.T) {
	in := func(play func(*drive)) func(*drive) { return func(d *drive) { d.arrive("OPTIONS"); play(d) } }
	failsLate := func(d *drive) {
		d.wire.fail()
		d.heardFailure(errWire)
		d.holds(0, 0)
	}
	forEachRow(t, "8", map[string]func(*drive){
		"Trying  TU-1xx -> Proceeding: send response (17.2.2)": in(func(d *drive) {
			d.repeat() // discarded while there is nothing to repeat
			d.peer.Silence(time.Second)
			d.answer(100)
			d.holds(0, 1)
		}),
		"Trying  TU-200-699 -> Completed: send response, start timer J (17.2.2)": in(func(d *drive) {
			d.answer(404)
			d.peer.Silence(31 * time.Second)
			d.endsAfter(32 * time.Second)
		}),
		"Proceeding  TU-1xx -> Proceeding: send response " +
			"(17.2.2)": in(func(d *drive) { d.answer(100); d.answer(182) }),
		"Proceeding  request -> Proceeding: send response (17.2.2)": in(func(d *drive) {
			res := d.answer(100)
			d.repeat()
			d.same(res, 0)
		}),
		"Proceeding  TU-200-699 -> Completed: send response, start timer J (17.2.2)": in(func(d *drive) {
			d.answer(100)
			d.answer(200)
			d.endsAfter(32 * time.Second)
		}),
		"Proceeding  transport-error -> Terminated: inform TU " +
			"(17.2.4)": in(func(d *drive) { d.answer(100); failsLate(d) }),
		"Completed  request -> Completed: send response (17.2.2)": in(func(d *drive) {
			res := d.answer(200)
			time.Sleep(3 * time.Second)
			d.repeat()
			d.same(res, 3*time.Second)
		}),
		"Completed  transport-error -> Terminated: inform TU " +
			"(17.2.4)": in(func(d *drive) { d.answer(200); failsLate(d) }),
		"Completed  timer-J -> Terminated " +
			"(17.2.2)": in(func(d *drive) { d.answer(200); d.endsAfter(32 * time.Second) }),
	})
}

// TestSecondFinalResponse shows that a decision stands: what the TU says after it stays off the wire.
func TestSecondFinalResponse(t *testing.T) {
	for _, c := range []struct {
		method        string
		first, second int
	}{
		{"INVITE", 486, 200}, {"INVITE", 486, 180}, {"INVITE", 486, 603}, {"INVITE", 200, 486},
		{"INVITE", 200, 180},
		{"OPTIONS", 200, 404}, {"OPTIONS", 200, 100},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDrive(t)
			d.arrive(c.method)
			res := d.answer(c.first)
			d.s.Post(func() { d.server.Respond(sip.NewResponse(d.req, c.second, "")) })
			d.peer.Silence(400 * time.Millisecond)
			if c.method == "OPTIONS" || c.first >= 300 {
				d.repeat()
				d.same(res, 400*time.Millisecond)
			}
		})
	}
}

// TestTrying shows the 100 of §17.2.1: after 200 ms, and only if the TU said nothing before.
func TestTrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDrive(t)
		d.arrive("INVITE")
		res := d.peer.Response(100)
		d.since(200 * time.Millisecond)
		if res.To.Tag() != "" {
			t.Errorf("the 100 has To tag %q", res.To.Tag())
		}
		d.answer(180)
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDrive(t)
		d.arrive("INVITE")
		d.answer(180)
		d.peer.Silence(time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDrive(t)
		d.arrive("OPTIONS")
		d.peer.Silence(time.Second)
	})
}
