package transaction_test

import (
	"testing"
	"testing/synctest"
	"time"

	"portero/sip/transaction"
)

func TestFigure5(t *testing.T) {
	const (
		calling    = "Calling"
		proceeding = "Proceeding"
	)
	in := func(state string, play func(*drive)) func(*drive) {
		return func(d *drive) {
			d.start("INVITE")
			if state == proceeding {
				d.respond(180)
				d.toldStatus(180)
			}
			d.mark = time.Now()
			play(d)
		}
	}
	// accepted checks the box after a 2xx: it reached the TU, no ACK is the transaction's, and timer M runs.
	accepted := func(d *drive) {
		d.respond(200)
		d.toldStatus(200)
		d.peer.Silence(time.Second)
		d.endsAfter(32 * time.Second)
		d.toldNothing()
	}
	// completed checks the box after a refusal: an ACK on the INVITE's own branch, and timer D.
	completed := func(d *drive) {
		d.respond(486)
		ack := d.peer.Request("ACK")
		d.since(0)
		if ack.Via[0].String() != d.req.Via[0].String() || len(ack.Via) != 1 || ack.To.Tag() != "t" ||
			ack.URI.String() != d.req.URI.String() ||
			ack.CSeq.Seq != d.req.CSeq.Seq || ack.From.String() != d.req.From.String() ||
			ack.CallID != d.req.CallID {
			d.Fatalf("ACK does not fit its INVITE (§17.1.1.3):\n%s\n%s", ack, d.req)
		}
		d.toldStatus(486)
		d.endsAfter(32 * time.Second)
		d.toldNothing()
	}
	failsLate := func(d *drive) {
		d.wire.fail()
		d.toldErr(errWire)
		d.holds(0, 0)
		d.peer.Silence(time.Minute)
	}
	forEachRow(t, "5", map[string]func(*drive){
		"Calling  timer-A -> Calling: send INVITE, restart timer A (17.1.1.2)": in(calling, func(d *drive) {
			d.again(500 * time.Millisecond)
			d.again(time.Second)
			d.toldNothing()
		}),
		"Calling  timer-B -> Terminated: inform TU (17.1.1.2)": in(calling, func(d *drive) {
			d.endsAfter(32 * time.Second)
			d.toldErr(transaction.ErrTimeout)
		}),
		"Calling  transport-error -> Terminated: inform TU (17.1.4)": in(calling, failsLate),
		"Calling  1xx -> Proceeding: response to TU (17.1.1.2)": in(calling, func(d *drive) {
			d.respond(180)
			d.toldStatus(180)
			d.peer.Silence(time.Second)
			d.holds(1, 0)
			d.timers(0) // A and B are stopped
			d.peer.Silence(time.Minute)
			d.holds(1, 0)
		}),
		"Calling  2xx -> Accepted: response to TU, start timer M (RFC 6026 8.4)": in(calling,
			accepted),
		"Calling  300-699 -> Completed: send ACK, response to TU, start timer D (17.1.1.2)": in(calling,
			completed),
		"Proceeding  1xx -> Proceeding: response to TU (17.1.1.2)": in(proceeding,
			func(d *drive) { d.respond(183); d.toldStatus(183); d.holds(1, 0) }),
		"Proceeding  2xx -> Accepted: response to TU, start timer M (RFC 6026 8.4)": in(proceeding,
			accepted),
		"Proceeding  300-699 -> Completed: send ACK, response to TU, start timer D (17.1.1.2)": in(proceeding,
			completed),
		"Proceeding  transport-error -> Terminated: inform TU (17.1.4)": in(proceeding,
			failsLate),
		"Proceeding  cancel-timeout -> Terminated: inform TU (9.1)": in(proceeding, func(d *drive) {
			d.s.Post(func() { d.client.Cancel() })
			cancel := d.peer.Request("CANCEL")
			d.since(0)
			if cancel.Via[0].String() != d.req.Via[0].String() || cancel.CSeq.Seq != d.req.CSeq.Seq {
				d.Fatalf("CANCEL does not fit its INVITE (§9.1):\n%s\n%s", cancel, d.req)
			}
			d.peer.Respond(cancel, stackAt, 200, nil)
			d.peer.Silence(31 * time.Second)
			d.holds(1, 0)
			d.endsAfter(32 * time.Second)
			d.toldErr(transaction.ErrTimeout)
		}),
		"Completed  300-699 -> Completed: send ACK (17.1.1.2)": in(calling, func(d *drive) {
			d.respond(486)
			first := d.peer.Request("ACK")
			d.toldStatus(486)
			time.Sleep(time.Second)
			d.respond(486)
			if second := d.peer.Request("ACK"); second.String() != first.String() {
				d.Fatalf("second ACK differs:\n%s\n%s", second, first)
			}
			d.toldNothing()
		}),
		"Completed  transport-error -> Terminated: inform TU (17.1.4)": in(calling, func(d *drive) {
			d.respond(486)
			d.peer.Request("ACK")
			d.toldStatus(486)
			failsLate(d)
		}),
		"Completed  timer-D -> Terminated (17.1.1.2)": in(calling, completed),
		"Accepted  2xx -> Accepted: response to TU (RFC 6026 8.4)": in(calling, func(d *drive) {
			d.respond(200)
			d.toldStatus(200)
			time.Sleep(time.Second)
			d.respond(200)
			d.toldStatus(200)
			d.holds(1, 0)
		}),
		"Accepted  timer-M -> Terminated (RFC 6026 8.4)": in(proceeding, accepted),
	})
}

func TestFigure6(t *testing.T) {
	in := func(state string, play func(*drive)) func(*drive) {
		return func(d *drive) {
			d.start("OPTIONS")
			if state == "Proceeding" {
				d.respond(100)
				d.toldStatus(100)
			}
			play(d)
		}
	}
	completed := func(d *drive) {
		d.respond(404)
		d.toldStatus(404)
		d.respond(404) // swallowed
		d.toldNothing()
		d.endsAfter(5 * time.Second)
		d.peer.Silence(time.Minute)
	}
	failsLate := func(d *drive) {
		d.wire.fail()
		d.toldErr(errWire)
		d.holds(0, 0)
	}
	timesOut := func(d *drive) { d.endsAfter(32 * time.Second); d.toldErr(transaction.ErrTimeout) }
	forEachRow(t, "6", map[string]func(*drive){
		"Trying  timer-E -> Trying: send request, restart timer E (17.1.2.2)": in("Trying", func(d *drive) {
			d.again(500 * time.Millisecond)
			d.again(time.Second)
		}),
		"Trying  timer-F -> Terminated: inform TU (17.1.2.2)":       in("Trying", timesOut),
		"Trying  transport-error -> Terminated: inform TU (17.1.4)": in("Trying", failsLate),
		"Trying  1xx -> Proceeding: response to TU (17.1.2.2)": in("Trying", func(d *drive) {
			d.respond(100)
			d.toldStatus(100)
			d.holds(1, 0)
		}),
		"Trying  200-699 -> Completed: response to TU, start timer K (17.1.2.2)": in("Trying", completed),
		"Proceeding  timer-E -> Proceeding: send request, restart timer E (17.1.2.2)": in("Proceeding",
			func(d *drive) {
				d.again(500 * time.Millisecond) // timer E runs on as it was set, then at T2 (§17.1.2.2)
				d.again(4 * time.Second)
				d.again(4 * time.Second)
			}),
		"Proceeding  timer-F -> Terminated: inform TU (17.1.2.2)":       in("Proceeding", timesOut),
		"Proceeding  transport-error -> Terminated: inform TU (17.1.4)": in("Proceeding", failsLate),
		"Proceeding  1xx -> Proceeding: response to TU (17.1.2.2)": in("Proceeding", func(d *drive) {
			d.respond(100)
			d.toldStatus(100)
			d.holds(1, 0)
		}),
		"Proceeding  200-699 -> Completed: response to TU, start timer K (17.1.2.2)": in("Proceeding",
			completed),
		"Completed  timer-K -> Terminated (17.1.2.2)": in("Trying", completed),
	})
}

// TestFiguresIgnore sends what the figures have no arrow for.
func TestFiguresIgnore(t *testing.T) {
	for _, c := range []struct {
		name, method string
		first, later int
		pair         string
	}{
		{"1xx after a refusal", "INVITE", 486, 180, "INVITE client Completed 1xx"},
		{"2xx after a refusal", "INVITE", 486, 200, "INVITE client Completed 2xx"},
		{"1xx after a 2xx", "INVITE", 200, 180, "INVITE client Accepted 1xx"},
		{"refusal after a 2xx", "INVITE", 200, 486, "INVITE client Accepted 300-699"},
		{"1xx after a final response", "OPTIONS", 200, 100, "non-INVITE client Completed 1xx"},
		{"another final response", "OPTIONS", 200, 404, "non-INVITE client Completed 200-699"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDrive(t)
				d.start(c.method)
				d.respond(c.first)
				d.toldStatus(c.first)
				if c.method == "INVITE" && c.first >= 300 {
					d.peer.Request("ACK")
				}
				d.respond(c.later)
				d.toldNothing()
				d.peer.Silence(time.Second)
				if n := d.log.Ignored(c.pair); n != 1 {
					t.Errorf("%s: ignored %d times, want once", c.pair, n)
				}
			})
		})
	}
}
