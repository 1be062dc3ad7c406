package sip

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const sdpType = "application/sdp"

// AcceptedBodies are the types that SDP looks into, for an Accept header (RFC 5621 §8.1).
const AcceptedBodies = "application/sdp, multipart/mixed, multipart/alternative"

// maxNesting bounds multiparts within multiparts.
const maxNesting = 4

var (
	errNoSDP      = errors.New("no session description")
	errBoundary   = errors.New("no part begins")
	errRequired   = errors.New("a part that must be handled cannot be")
	errTooNested  = errors.New("too many parts within parts")
	errMediaTypes = errors.New("not " + AcceptedBodies)
)

// SDP finds the session description in a body: the whole, or a part of a multipart (RFC 5621 §3). Without a
// Content-Type, a body that begins as a description does is one. nil: there is no body. The error says why a
// request is answered with 415: the body holds no description, or a part that its sender wants handled
// (§5.2); a description that was found comes with it.
func (h *Headers) SDP(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	s := partSearch{}
	s.part(h.ContentType, body, 0)
	switch {
	case s.sdp == nil && s.err == nil:
		s.err = errNoSDP
	case s.err != nil:
	case s.required:
		s.err = errRequired
	}
	if s.err != nil {
		return s.sdp, fmt.Errorf("sip: body of type %q: %w", h.ContentType, s.err)
	}
	return s.sdp, nil
}

// partSearch looks for the description in a body.
type partSearch struct {
	sdp      []byte
	required bool // another part was to be handled
	err      error
}

// part looks at one body or part of a body.
func (s *partSearch) part(contentType string, body []byte, depth int) {
	switch t := MediaType(contentType); {
	case t == sdpType, t == "" && bytes.HasPrefix(bytes.TrimLeft(body, "\r\n \t"), []byte("v=0")):
		s.sdp = body
	case strings.HasPrefix(t, "multipart/"):
		if depth == maxNesting {
			s.err = errTooNested
			return
		}
		s.multipart(t, contentType, body, depth)
	case depth == 0:
		s.err = errMediaTypes
	}
}

// multipart looks at the parts: of alternatives the last that is understood is the best one (RFC 2046
// §5.1.4), else the first counts.
func (s *partSearch) multipart(mediaType, contentType string, body []byte, depth int) {
	rest, delimiter, ok := firstPart(contentType, body)
	if !ok {
		s.err = errBoundary
		return
	}
	for more := true; more; {
		var text []byte
		text, rest, more = nextPart(rest, delimiter)
		p := partHeaders(text)
		inner := partSearch{}
		if content, ok := p.decoded(); ok {
			inner.part(p.ContentType, content, depth+1)
		}
		if s.err == nil {
			s.err = inner.err
		}
		disposition, params, _ := strings.Cut(p.Get("Content-Disposition"), ";")
		session := disposition == "" || equalFold(trimSpace(disposition), "session")
		handling, _ := salvageParams(";" + params).Get("handling")
		switch {
		case inner.sdp != nil && session:
			if s.sdp == nil || mediaType == "multipart/alternative" {
				s.sdp = inner.sdp
			}
			s.required = s.required || inner.required
		case mediaType != "multipart/alternative":
			s.required = s.required || equalFold(handling, "required")
		}
	}
}

// firstPart returns what follows the first delimiter line, and the delimiter, which the body shows where the
// Content-Type does not.
func firstPart(contentType string, body []byte) (rest, delimiter []byte, ok bool) {
	_, params, _ := strings.Cut(contentType, ";")
	if boundary, ok := salvageParams(";" + params).Get("boundary"); ok && boundary != "" {
		delimiter = []byte("--" + boundary)
	}
	for len(body) > 0 {
		line, after, _ := bytes.Cut(body, []byte("\n"))
		line = bytes.TrimRight(line, "\r \t")
		if delimiter == nil && len(line) > 2 && bytes.HasPrefix(line, []byte("--")) {
			delimiter = line
		}
		if delimiter != nil && bytes.Equal(line, delimiter) {
			return after, delimiter, true
		}
		body = after
	}
	return nil, nil, false
}

// nextPart cuts a part off at the next delimiter line; the line end before that belongs to it (RFC 2046
// §5.1.1). more is false after the last part, whose closing delimiter may be missing.
func nextPart(body, delimiter []byte) (part, rest []byte, more bool) {
	for at := 0; at < len(body); {
		line, after, _ := bytes.Cut(body[at:], []byte("\n"))
		line = bytes.TrimRight(line, "\r \t")
		if end, ok := bytes.CutPrefix(line, delimiter); ok && (len(end) == 0 || string(end) == "--") {
			return bytes.TrimSuffix(bytes.TrimSuffix(body[:at], []byte("\n")), []byte("\r")), after, len(end) == 0
		}
		at = len(body) - len(after)
	}
	return body, nil, false
}

// bodyPart is a part with what its header says.
type bodyPart struct {
	Headers
	content []byte
}

func partHeaders(text []byte) (p bodyPart) {
	for len(text) > 0 {
		line, after, _ := bytes.Cut(text, []byte("\n"))
		text = after
		if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		if id, _, _ := lookupName(trimSpace(name)); id == fieldContentType {
			p.ContentType = trimSpace(value)
		} else {
			p.Add(trimSpace(name), trimSpace(value))
		}
	}
	p.content = text
	return p
}

// decoded returns the content; false: its encoding is not understood.
func (p *bodyPart) decoded() ([]byte, bool) {
	switch strings.ToLower(p.Get("Content-Transfer-Encoding")) {
	case "", "binary", "8bit", "7bit":
		return p.content, true
	case "base64":
		text := bytes.Map(func(r rune) rune {
			if r <= ' ' {
				return -1
			}
			return r
		}, p.content)
		content, err := base64.StdEncoding.DecodeString(string(text))
		return content, err == nil
	}
	return nil, false
}
