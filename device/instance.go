package device

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
)

// machineID is the name that a Linux system gives itself at its first start, for good (machine-id(5)).
const machineID = "/etc/machine-id"

// instance names this station at a registrar (RFC 5626 §4.1): the same after each start, another for each
// account, and nothing that leads back to the machine's own name. "" where the system has none.
func instance(aor string) string {
	id, err := os.ReadFile(machineID)
	if err != nil || strings.TrimSpace(string(id)) == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("portero\x00" + strings.TrimSpace(string(id)) + "\x00" + aor))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // RFC 9562 §5.8: version 8, a value of one's own making
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
