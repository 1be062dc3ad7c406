//go:build interop

package interop

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed kamailio.cfg
var kamailioConfig string

// Kamailio is a registrar and proxy with digest authentication, users in memory, realm "portero.test".
type Kamailio struct {
	*Process
	Port int
}

// StartKamailio starts Kamailio with users (name -> password) and waits until it serves.
func StartKamailio(t *testing.T, users map[string]string) *Kamailio {
	t.Helper()
	need(t, "kamailio")
	dir := t.TempDir()
	k := &Kamailio{Port: freePort(t)}
	var table strings.Builder
	for name, password := range users {
		fmt.Fprintf(&table, "\t$sht(users=>%s) = %q;\n", name, password)
	}
	text := strings.NewReplacer("@PORT@", fmt.Sprint(k.Port), "@USERS@", table.String()).Replace(kamailioConfig)
	path := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k.Process = Start(t, "kamailio", dir, nil, "kamailio", "-f", path, "-DD", "-E", "-m", "16", "-M", "4", "-Y", dir, "-w", dir)
	waitSIP(t, k.Port, patience)
	return k
}

// URI of a user behind k.
func (k *Kamailio) URI(user string) string { return fmt.Sprintf("sip:%s@127.0.0.1:%d", user, k.Port) }
