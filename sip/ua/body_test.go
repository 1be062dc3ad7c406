package ua_test

import (
	"strings"
	"testing"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/ua"
)

// TestOffersInParts takes an INVITE whose offer is not the whole of its body (RFC 5621), or has no type, or
// that calls a number.
func TestOffersInParts(t *testing.T) {
	parts := "--b\r\nContent-Type: application/sdp\r\n\r\n" + string(offer) +
		"\r\n--b\r\nContent-Type: application/rs-metadata+xml\r\n\r\n<x/>\r\n--b--\r\n"
	each(t, map[string]func(*sip.Request){
		"plain":      func(*sip.Request) {},
		"mixed":      func(r *sip.Request) { r.ContentType, r.Body = "multipart/mixed;boundary=b", []byte(parts) },
		"no type":    func(r *sip.Request) { r.ContentType = "" },
		"tel number": func(r *sip.Request) { r.URI = sip.URI{Scheme: "tel", Opaque: "+4930"} },
	}, func(t *testing.T, n *siptest.Network, edit func(*sip.Request)) {
		a, f := visited(t, n)
		f.request("INVITE", edit)
		h := a.want(t, ua.Offered)
		if got := strings.TrimSpace(string(h.Body)); got != strings.TrimSpace(string(offer)) {
			t.Errorf("told %q", got)
		}
		h.Leg.Answer(offer)
		f.joined(f.Response(200))
		f.request("ACK", func(r *sip.Request) {
			r.ContentType, r.Body = "application/sdp", offer
			edit(r)
		})
		if ev := a.want(t, ua.Acked); len(ev.Body) == 0 {
			t.Error("the answer in the ACK is lost")
		}
		h.call.Hangup()
		f.answer(f.Request("BYE"), 200, "")
		a.want(t, ua.Ended)
		a.settled(t)
	})
}

// TestRefusalWarns has the far end's people read why (RFC 3261 §20.43).
func TestRefusalWarns(t *testing.T) {
	bubble(t, func(t *testing.T, n *siptest.Network) {
		a, f := visited(t, n)
		req, h := f.ring(a)
		h.Leg.Reject(488, sip.Warning{Code: 305, Text: "no codec in common"})
		res := f.Response(488)
		if got, want := res.Get("Warning"), `305 10.0.0.1 "no codec in common"`; got != want {
			t.Errorf("Warning: %s, want %s", got, want)
		}
		f.ackRefusal(req, res)
		a.want(t, ua.Ended)
		a.settled(t)
	})
}
