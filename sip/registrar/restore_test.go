package registrar

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/ua"
)

// TestRestore replaces the server as a reload of the configuration does: a user that still exists is
// reachable at once and can end a call that was under way; who was removed, or has another password, is gone;
// and a restored binding expires when the old one would have.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := siptest.NewNetwork(7)
		tr := n.Listen(serverAddr.String())
		users := []User{{"anna", "secret of anna"}, {"ben", "secret of ben"}, {"cleo", "secret of cleo"},
			{"dora", "secret of dora"}, {"door", "secret of door"}}
		serve := func(users []User) (*testServer, *transaction.Stack) {
			srv, err := New(Config{Domains: []string{domain}, Users: users, Log: testLog(t)})
			if err != nil {
				t.Fatal(err)
			}
			h := &testServer{t: t, net: n, Server: srv}
			srv.OnRegister(func(user string, contacts int) { h.changes = append(h.changes, user) })
			return h, transaction.NewStack(transaction.Config{Log: testLog(t)}, counting{srv, h}, tr)
		}
		h, stack := serve(users)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- stack.Run(ctx) }()

		anna, ben := h.registered("anna", "10.0.0.1:5060"), h.registered("ben", "10.0.0.2:5060")
		for i, user := range []string{"cleo", "door"} {
			r := h.raw(user, []string{"10.0.0.3:5060", "10.0.0.5:5060"}[i])
			r.wantStatus(200, r.register("<sip:"+user+"@"+r.Addr.String()+">"))
		}
		dora := h.raw("dora", "10.0.0.4:5060")
		short := dora.wantStatus(200, dora.register("<sip:dora@10.0.0.4>;expires=60"))
		if len(short.Contact) != 1 {
			t.Fatalf("dora has %v", short.Contact)
		}
		anna.call("sip:ben@" + domain)
		call := ben.want(ua.Offered)
		call.Leg.Answer([]byte("v=0\r\n"))
		anna.want(ua.Answered)
		ben.want(ua.Acked)
		before := h.Bindings()
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}

		time.Sleep(10 * time.Second)
		after, stack := serve([]User{users[0], users[1], users[3], {"door", "another"}})
		after.Restore(h.Server)
		run(t, stack)
		synctest.Wait()
		wanted := slices.DeleteFunc(before, func(b Binding) bool {
			return b.User == "cleo" ||
				b.User == "door"
		})
		if got := after.Bindings(); len(wanted) != 3 || !slices.Equal(got, wanted) {
			t.Fatalf("restored %+v, want %+v", got, wanted)
		}
		if slices.Sort(after.changes); !slices.Equal(after.changes, []string{"anna", "ben", "dora"}) {
			t.Errorf("OnRegister heard of %v", after.changes)
		}
		was := h.location.of("dora")[0]
		var is *binding
		after.onLoop(func() { is = after.location.of("dora")[0] })
		if is.callID != was.callID || is.seq != was.seq || is.hop != was.hop || is.callID == "" {
			t.Errorf("restored %+v, was %+v", is, was)
		}

		call.call.Hangup()
		ben.want(ua.Ended)
		if ev := anna.want(ua.Ended); !ev.ByPeer {
			t.Error("the BYE did not pass the new server")
		}
		anna.call("sip:ben@" + domain)
		ben.want(ua.Offered)

		time.Sleep(49 * time.Second)
		synctest.Wait()
		if len(after.contacts("dora")) != 1 {
			t.Error("dora's binding ended too early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(after.contacts("dora")) != 0 {
			t.Error("dora's binding never ends")
		}
	})
}

// TestRestoreLate has a phone register at the new server first: its new binding is not replaced by the old
// one.
func TestRestoreLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestServer(t, nil)
		r := h.raw("anna", "10.0.0.1:5060")
		r.wantStatus(200, r.register("<sip:anna@10.0.0.1:5060>;expires=600"))
		other := newTestServer(t, nil) // on a network of its own
		again := other.raw("anna", "10.0.0.1:5060")
		again.wantStatus(200, again.register("<sip:anna@10.0.0.1:5060>;expires=300"))
		want := other.Bindings()
		other.Restore(h.Server)
		synctest.Wait()
		if got := other.Bindings(); !slices.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
