package registrar

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"portero/sip"
	"portero/sip/transport"
)

// saved is what outlives a restart. There may be no clock then, so no time of day is kept.
type saved struct {
	Salt   []byte         `json:"salt"`
	Phones []savedBinding `json:"phones"`
}

type savedBinding struct {
	User      string         `json:"user"`
	Proof     []byte         `json:"proof"` // of the password that it was made with
	Contact   string         `json:"contact"`
	Address   netip.AddrPort `json:"address"`
	Transport sip.Proto      `json:"transport,omitempty"` // "": UDP, as in files of before there were others
	Path      []string       `json:"path,omitempty"`
	CallID    string         `json:"call_id"`
	Seq       uint32         `json:"cseq"`
	UserAgent string         `json:"user_agent,omitempty"`
}

// proof ties a saved binding to its user's password, without telling it.
func (s *Server) proof(salt []byte, user string) []byte {
	m := hmac.New(sha256.New, salt)
	fmt.Fprintf(m, "%q %q", user, s.passwords[user])
	return m.Sum(nil)
}

// Save returns the bindings for [Server.Load], as JSON; those that are reached by a connection end with it
// and are left out. Any goroutine may call it.
func (s *Server) Save() ([]byte, error) {
	out := saved{Salt: []byte(rand.Text()), Phones: []savedBinding{}}
	s.location.mu.Lock()
	for _, user := range slices.Sorted(maps.Keys(s.location.users)) {
		for _, b := range s.location.users[user] {
			if b.hop.Flow.Conn != 0 {
				continue // its connection ends with the process
			}
			v := savedBinding{User: user, Contact: b.contact.String(), Address: b.hop.Addr,
				Transport: b.hop.Proto,
				CallID:    b.callID, Seq: b.seq, UserAgent: b.userAgent}
			for _, p := range b.path {
				v.Path = append(v.Path, p.String())
			}
			out.Phones = append(out.Phones, v)
		}
	}
	s.location.mu.Unlock()
	for i := range out.Phones {
		out.Phones[i].Proof = s.proof(out.Salt, out.Phones[i].User)
	}
	data, err := json.MarshalIndent(out, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("registrar: save bindings: %w", err)
	}
	return data, nil
}

// Load takes over what Save returned before the process ended. The bindings of users that still exist with
// the same password ring for as long as a new registration lasts by default, in which time the phones will
// have come again; what has been registered here meanwhile wins. Nothing is taken when an error says what is
// wrong with data. Call it once the stack is made; any goroutine may.
func (s *Server) Load(data []byte) error {
	var in saved
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("registrar: load bindings: %w", err)
	}
	now := time.Now()
	kept := map[string][]*binding{}
	for _, v := range in.Phones {
		if _, ok := s.passwords[v.User]; !ok || !hmac.Equal(v.Proof, s.proof(in.Salt, v.User)) {
			continue
		}
		b, err := v.binding()
		if err != nil {
			return fmt.Errorf("registrar: load binding %q of %q: %w", v.Contact, v.User, err)
		}
		b.refreshed, b.expires = now, now.Add(s.cfg.DefaultExpires)
		kept[v.User] = append(kept[v.User], b)
	}
	s.stack.Post(func() { s.adopt(kept) })
	return nil
}

func (v savedBinding) binding() (*binding, error) {
	contact, err := sip.ParseAddress(v.Contact)
	if err != nil {
		return nil, err
	}
	if contact.Star || contact.URI.Scheme != "sip" || !v.Address.IsValid() || v.Address.Port() == 0 {
		return nil, fmt.Errorf("no place to send to at %v", v.Address)
	}
	proto := cmp.Or(v.Transport, sip.UDP)
	if !slices.Contains(protos, proto) {
		return nil, fmt.Errorf("unknown transport %q", proto)
	}
	b := &binding{contact: contact, hop: transport.Target{Proto: proto, Addr: v.Address,
		Flow: transport.Flow{Proto: proto, Remote: v.Address}},
		callID: v.CallID, seq: v.Seq, userAgent: v.UserAgent}
	for _, p := range v.Path {
		a, err := sip.ParseAddress(p)
		if err != nil || !a.URI.IsSIP() {
			return nil, fmt.Errorf("path %q", p)
		}
		b.path = append(b.path, a)
	}
	return b, nil
}
