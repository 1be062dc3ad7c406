package sip

import "slices"

// The methods of RFC 3261, and of the extensions that a door station meets.
const (
	ACK       = "ACK"
	BYE       = "BYE"
	CANCEL    = "CANCEL"
	INFO      = "INFO" // RFC 6086
	INVITE    = "INVITE"
	OPTIONS   = "OPTIONS"
	PRACK     = "PRACK" // RFC 3262
	REFER     = "REFER" // RFC 3515
	REGISTER  = "REGISTER"
	SUBSCRIBE = "SUBSCRIBE" // RFC 6665
	UPDATE    = "UPDATE"    // RFC 3311
)

// Request is a SIP request (RFC 3261 §7.1).
type Request struct {
	Method string
	URI    URI
	Headers
	Body []byte
}

// Response is a SIP response (RFC 3261 §7.2).
type Response struct {
	Status int
	Reason string
	Headers
	Body []byte
}

// NewRequest returns a request with Max-Forwards 70 and the method in its CSeq; the number is the caller's.
func NewRequest(method string, uri URI) *Request {
	return &Request{Method: method, URI: uri, Headers: Headers{MaxForwards: 70, Expires: -1,
		CSeq: CSeq{Method: method}}}
}

// NewResponse returns the response to req with what RFC 3261 §8.2.6 has copied: Via, From, To, Call-ID, CSeq,
// and the Timestamp into a 100. The tag in To and the Record-Route are the caller's. An empty reason stands
// for the usual phrase.
func NewResponse(req *Request, status int, reason string) *Response {
	if reason == "" {
		reason = ReasonPhrase(status)
	}
	r := &Response{Status: status, Reason: reason, Headers: Headers{
		Via: slices.Clone(req.Via), From: req.From, To: req.To, CallID: req.CallID, CSeq: req.CSeq,
		MaxForwards: -1, Expires: -1,
	}}
	if status == 100 {
		if v := req.Get("Timestamp"); v != "" {
			r.Add("Timestamp", v)
		}
	}
	return r
}

// Clone returns a copy whose header fields may be altered; Body is shared.
func (r *Request) Clone() *Request {
	c := *r
	c.Headers = r.Headers.clone()
	return &c
}

// Clone returns a copy whose header fields may be altered; Body is shared.
func (r *Response) Clone() *Response {
	c := *r
	c.Headers = r.Headers.clone()
	return &c
}

func (h *Headers) clone() Headers {
	c := *h
	c.Via = slices.Clone(h.Via)
	c.Contact = slices.Clone(h.Contact)
	c.Route = slices.Clone(h.Route)
	c.RecordRoute = slices.Clone(h.RecordRoute)
	c.Other = slices.Clone(h.Other)
	return c
}
