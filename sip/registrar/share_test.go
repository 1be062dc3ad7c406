package registrar

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip"
	"portero/sip/transaction"
)

// TestOnePhoneFillsNothing: a registered phone with a fault, or a purpose, registers without an end: it is
// answered, holds no more than its share, and the bell rings.
func TestOnePhoneFillsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		anna, ben := h.raw("anna", "10.0.0.1:5060"), h.raw("ben", "10.0.0.2:5060")
		anna.come()
		ben.come()
		for i := range transaction.MaxServers + 1000 {
			ben.send(ben.register("<sip:ben@10.0.0.2>"))
			if i%64 == 0 {
				synctest.Wait()
				for ben.answered(200) {
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
		if _, servers, _, _ := h.stack.Held(); servers > transaction.MaxShare+8 {
			t.Errorf("%d transactions", servers)
		}
		bell.rings()
		anna.within(soon)
	})
}

// answered reports whether a response has come, which must have the status.
func (r *raw) answered(status int) bool {
	r.t.Helper()
	_, res := r.Within(0)
	if res != nil && res.Status != status {
		r.t.Fatalf("%s: status %d", r.user, res.Status)
	}
	return res != nil
}

// TestBellHasARoomOfItsOwn: with all users of the server at their worst, the bell rings.
func TestBellHasARoomOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := bellServer(t, nil)
		anna := h.raw("anna", "10.0.0.1:5060")
		anna.come()
		for i, user := range []string{"anna", "ben", "cleo", "dora"} {
			r := h.raw(user, fmt.Sprintf("10.0.1.%d:5060", i))
			r.wantStatus(404, r.request("INVITE", "sip:nobody@"+domain))
			for n := range transaction.MaxShare + 100 { // never acknowledged
				r.id = fmt.Sprint("flood-", user, n)
				r.send(r.request("INVITE", "sip:nobody@"+domain))
				if n%64 == 0 {
					synctest.Wait()
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
		if _, servers, _, _ := h.stack.Held(); servers != transaction.MaxServers-transaction.Reserve {
			t.Errorf("%d transactions", servers)
		}
		bell.id = "bell"
		bell.rings()
		req, _ := anna.Within(soon)
		for req != nil && req.Method != sip.INVITE {
			req, _ = anna.Within(soon)
		}
		if req == nil {
			t.Error("the bell does not ring")
		}
	})
}
