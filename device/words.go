package device

import (
	"errors"
	"fmt"
	"net"

	"portero/sip"
	"portero/sip/transaction"
	"portero/sip/ua"
)

// reasonOf says in plain words why a call of ours has failed.
func reasonOf(ev ua.CallEvent) string {
	var name *net.DNSError
	switch {
	case ev.Status != 0:
		return inWords(ev.Status, ev.Reason)
	case errors.Is(ev.Err, transaction.ErrTimeout):
		return noResponse
	case errors.As(ev.Err, &name) && name.IsNotFound:
		return "no such host: " + name.Name
	case ev.Err != nil:
		return ev.Err.Error()
	}
	return ev.Reason
}

const noResponse = "no response: is it switched on, and on the network?"

// inWords says what a status that ends a call means, and the status as others know it.
func inWords(status int, phrase string) string {
	if phrase == "" {
		phrase = sip.ReasonPhrase(status)
	}
	words := words[status]
	if words == "" && status/100 == 5 {
		words = "its server is in trouble"
	}
	if words == "" {
		return fmt.Sprintf("%d %s", status, phrase)
	}
	return fmt.Sprintf("%s (%d %s)", words, status, phrase)
}

var words = map[int]string{
	401: "the account's name or password is not taken",
	403: "it takes no calls from this station",
	404: "nobody has this name or number there",
	407: "the account's name or password is not taken",
	408: "not found in time",
	410: "nobody has this name or number there any more",
	415: "no common kind of sound",
	480: "not registered there, or not to be disturbed",
	484: "the number is not complete",
	486: "busy",
	488: "no common kind of sound",
	600: "busy",
	603: "declined",
	604: "nobody has this name or number",
	606: "no common kind of sound",
	607: "declined",
}
