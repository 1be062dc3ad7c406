package transaction

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"portero/sip"
)

// txState and txEvent name the states and events of the four transaction machines as RFC 3261 figures 5 to 8
// do, with the corrections of RFC 6026.
type (
	txState string
	txEvent string
)

const (
	calling    txState = "Calling"
	trying     txState = "Trying"
	proceeding txState = "Proceeding"
	accepted   txState = "Accepted"
	completed  txState = "Completed"
	confirmed  txState = "Confirmed"
	terminated txState = "Terminated"
)

const (
	ev1xx            txEvent = "1xx"
	ev2xx            txEvent = "2xx"
	ev300            txEvent = "300-699"
	evFinal          txEvent = "200-699"
	evTransportError txEvent = "transport-error"
	evCancelTimeout  txEvent = "cancel-timeout"

	evRequest txEvent = "request"
	evACK     txEvent = sip.ACK
	evTU1xx   txEvent = "TU-1xx"
	evTU2xx   txEvent = "TU-2xx"
	evTU300   txEvent = "TU-300-699"
	evTUFinal txEvent = "TU-200-699"

	evTimerA txEvent = "timer-A"
	evTimerB txEvent = "timer-B"
	evTimerD txEvent = "timer-D"
	evTimerE txEvent = "timer-E"
	evTimerF txEvent = "timer-F"
	evTimerG txEvent = "timer-G"
	evTimerH txEvent = "timer-H"
	evTimerI txEvent = "timer-I"
	evTimerJ txEvent = "timer-J"
	evTimerK txEvent = "timer-K"
	evTimerL txEvent = "timer-L"
	evTimerM txEvent = "timer-M"
)

// ErrTimeout is the failure of a transaction whose peer never answered (timers B, F and H).
var ErrTimeout = errors.New("transaction: no answer from the peer")

// timerD is how long a response to INVITE may be retransmitted (table 4).
const timerD = 32 * time.Second

// Lifetime is that of timers B, F, H, J, L and M, and how long a 2xx waits for its ACK (§13.3.1.4).
const Lifetime = 64 * T1

// txKey identifies a transaction (§17.1.3, §17.2.3).
type txKey struct{ branch, sentBy, method string }

func clientKey(branch, method string) txKey { return txKey{branch: branch, method: method} }

func serverKey(req *sip.Request) txKey {
	method := req.Method
	if method == sip.ACK {
		method = sip.INVITE
	}
	return keyFor(req, method)
}

// cancelledKey is the key of the INVITE that a CANCEL means (§9.2).
func cancelledKey(cancel *sip.Request) txKey { return keyFor(cancel, sip.INVITE) }

func keyFor(req *sip.Request, method string) txKey {
	v := req.Via[0]
	branch := v.Branch()
	if len(branch) > len(sip.BranchCookie) && strings.EqualFold(branch[:len(sip.BranchCookie)],
		sip.BranchCookie) {
		return txKey{strings.ToLower(branch), v.SentBy(), method}
	}
	// RFC 2543 peers: match by what identified a transaction then (§17.2.3).
	id := req.URI.String() + "\x00" + req.CallID + "\x00" + req.From.Tag() + "\x00" +
		strconv.FormatUint(uint64(req.CSeq.Seq), 10)
	return txKey{id, v.SentBy() + branch, method}
}
