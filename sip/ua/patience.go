package ua

import (
	"math/rand/v2"
	"strings"
	"time"

	"portero/sip"
)

// How long a registration that failed is left alone.
const (
	backoffFirst = 2 * time.Second
	backoffMost  = 2 * time.Minute
	patienceMost = time.Hour        // of a Retry-After: a door is not away for a day
	deniedMost   = 3                // wrong passwords in a row, minutes apart; then one in each deniedIn
	deniedIn     = 10 * time.Minute // servers lock accounts that keep trying
)

// LookThere is where the user name and password of an account stand.
const LookThere = "FRITZ!Box: Telephony > Telephony Devices > (the door) > Login Data; " +
	"Asterisk: the auth section of the endpoint in pjsip.conf; " +
	"3CX: the extension's Authentication ID and password"

// patience returns how long to wait after a failure.
func (r *Registration) patience() time.Duration {
	wait := backoffMost
	if r.fails < 6 {
		wait = backoffFirst << r.fails
	}
	r.fails++
	denied := r.res != nil && (r.res.Status == 401 || r.res.Status == 407 || r.res.Status == 403 && r.proved)
	if denied {
		wait = backoffMost
		if r.denied++; r.denied >= deniedMost {
			return r.tellDenied(deniedIn + rand.N(30*time.Second))
		}
	}
	wait = wait/2 + rand.N(wait/2+1)
	if asked := retryAfter(r.res); asked > wait && r.fails >= len(r.acct.targets) { // every server was asked
		wait = asked + rand.N(asked/10+1)
	}
	if denied {
		return r.tellDenied(wait)
	}
	return wait
}

func (r *Registration) tellDenied(wait time.Duration) time.Duration {
	r.log.Warn("user name or password refused", "call", r.callID, "user", r.acct.AuthUser,
		"status", r.res.Status, "retry", wait.Round(time.Second), "compare", LookThere)
	return wait
}

// retryAfter returns how long a response asks to be left alone (§20.33), 0 when it does not.
func retryAfter(res *sip.Response) time.Duration {
	if res == nil {
		return 0
	}
	v := strings.TrimSpace(res.Get("Retry-After"))
	seconds := 0
	for i := 0; i < len(v) && '0' <= v[i] && v[i] <= '9'; i++ { // a comment or parameters may follow
		seconds = min(seconds*10+int(v[i]-'0'), int(patienceMost/time.Second))
	}
	return time.Duration(seconds) * time.Second
}
