package device

import (
	"strings"

	"portero/device/config"
	"portero/sip"
)

const infoKeys = "0123456789*#ABCD" // in the order of RFC 4733's event codes

// infoReader reads the keys that one call's INFOs bring. No RFC defines their bodies; these exist:
//
//	application/dtmf-relay                "Signal=5\r\nDuration=160", in any case and with spaces; some
//	                                      send the event code 10 to 15 for *, # and A to D
//	application/dtmf                      "5", or a whole code, "4711#"
//	audio/telephone-event                 either, or the four octets of RFC 4733
//	application/vnd.nortelnetworks.digits "d=5" among other lines
type infoReader struct {
	begun byte // the key whose beginning came in octets, and not its end; 0: none
}

// keys returns what was pressed, "" for nothing: a flash, another body. A body is one press, or a whole code
// where it is as long as one.
func (i *infoReader) keys(contentType string, body []byte) string {
	value := strings.TrimSpace(string(body))
	switch sip.MediaType(contentType) {
	case "application/dtmf-relay":
		value = infoField(value, "signal")
	case "application/vnd.nortelnetworks.digits":
		value = infoField(value, "d")
	case "audio/telephone-event", "application/telephone-event":
		if len(body) == 4 && body[0] < ' ' {
			return i.octets(body)
		}
		if strings.ContainsAny(value, "=:") {
			value = infoField(value, "signal")
		}
	case "application/dtmf", "":
		if strings.ContainsAny(value, "=:") {
			value = infoField(value, "signal")
		}
	default:
		return ""
	}
	value = strings.ToUpper(value)
	if len(value) == 2 {
		if value[0] != '1' || value[1] < '0' || value[1] > '5' {
			return ""
		}
		return infoKeys[10+value[1]-'0':][:1]
	}
	whole := len(value) >= config.MinCode && len(value) <= config.MaxCode+1
	if len(value) != 1 && !whole || strings.Trim(value, infoKeys) != "" {
		return ""
	}
	return value
}

// octets reads an event of RFC 4733, 2.3: the INFO of its end is no second press.
func (i *infoReader) octets(body []byte) string {
	if int(body[0]) >= len(infoKeys) {
		return ""
	}
	key, end := infoKeys[body[0]], body[1]&0x80 != 0
	goesOn := i.begun == key
	i.begun = 0
	if !end {
		i.begun = key
	}
	if goesOn {
		return ""
	}
	return string(key)
}

// infoField returns the first value of a name in lines of "name=value", up to a space or a further parameter.
func infoField(text, name string) string {
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		n := strings.IndexAny(line, "=:")
		if n < 0 || !strings.EqualFold(strings.TrimSpace(line[:n]), name) {
			continue
		}
		value := strings.Trim(line[n+1:], " \t\"")
		if end := strings.IndexAny(value, " \t;,\""); end > 0 {
			value = value[:end]
		}
		return value
	}
	return ""
}
