package ua

import (
	"net/netip"
	"slices"

	"portero/sip"
	"portero/sip/transport"
)

// dialog is the state that both ends of a call leg share (RFC 3261 §12).
type dialog struct {
	callID        string
	local, remote sip.Address // with tags, as From and To of our requests
	localSeq      uint32
	remoteSeq     uint32
	remoteSeen    bool          // remoteSeq holds something
	target        sip.URI       // where the far end wants requests
	routes        []sip.Address // the route set, in the order of use
	contact       sip.Address   // where we want them

	peer     transport.Target // where the far end's last message came from, or our INVITE got through to
	hop      netip.AddrPort   // where its last request went
	detoured bool             // target and routes lead nowhere: requests go to peer
}

// newUACDialog makes the dialog that a response to our INVITE creates (§12.1.2).
func newUACDialog(req *sip.Request, res *sip.Response, peer transport.Target) *dialog {
	d := &dialog{callID: req.CallID, local: req.From, remote: res.To, localSeq: req.CSeq.Seq,
		contact: req.Contact[0], peer: peer}
	d.confirmUAC(res)
	return d
}

// confirmUAC takes target and route set from a response; the 2xx has the last word (§13.2.2.4).
func (d *dialog) confirmUAC(res *sip.Response) {
	if len(res.Contact) > 0 {
		d.retarget(res.Contact[0].URI)
	}
	d.routes = slices.Clone(res.RecordRoute)
	slices.Reverse(d.routes)
}

// newUASDialog makes the dialog that our response to an INVITE creates (§12.1.1).
func newUASDialog(req *sip.Request, localTag string, contact sip.Address, peer transport.Target) *dialog {
	d := &dialog{callID: req.CallID, local: req.To.WithTag(localTag), remote: req.From,
		remoteSeq: req.CSeq.Seq, remoteSeen: true, routes: slices.Clone(req.RecordRoute), contact: contact,
		peer: peer}
	if len(req.Contact) > 0 {
		d.target = req.Contact[0].URI
	}
	return d
}

// retarget takes a new remote target (§12.2.1.2, §12.2.2), which may be reachable where the old one was not.
func (d *dialog) retarget(u sip.URI) {
	if !u.Equal(d.target) {
		d.target, d.detoured = u, false
	}
}

// inOrder takes the CSeq of a request from the far end; false: it is older than one before (§12.2.2).
func (d *dialog) inOrder(req *sip.Request) bool {
	if d.remoteSeen && req.CSeq.Seq <= d.remoteSeq {
		return false
	}
	d.remoteSeq, d.remoteSeen = req.CSeq.Seq, true
	return true
}

// request makes a request within the dialog (§12.2.1.1). ACK and CANCEL set their own CSeq afterwards.
func (d *dialog) request(method string) *sip.Request {
	if method != sip.ACK {
		d.localSeq++
	}
	req := sip.NewRequest(method, d.target)
	req.From, req.To, req.CallID = d.local, d.remote, d.callID
	req.CSeq = sip.CSeq{Seq: d.localSeq, Method: method}
	req.Route = slices.Clone(d.routes)
	if len(d.routes) > 0 && !d.routes[0].URI.Params.Has("lr") {
		// A strict router of RFC 2543: it wants itself in the Request-URI and the target at the end of the
		// route.
		req.URI = d.routes[0].URI
		req.Route = append(slices.Clone(d.routes[1:]), sip.Address{URI: d.target})
	}
	if method == sip.INVITE {
		req.Contact = []sip.Address{d.contact}
	}
	return req
}

// nextHop is the URI whose server gets the requests within the dialog: the first route, loose or strict
// (§8.1.2, §12.2.1.1).
func (d *dialog) nextHop() sip.URI {
	if len(d.routes) > 0 {
		return d.routes[0].URI
	}
	return d.target
}
