package sip

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The messages of RFC 4475 that are refused, with the status. The others are read: what is wrong with some of
// them (an unknown scheme, method or extension) is for upper layers to say.
var tortureRefused = map[string]int{
	"badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": 400, "quotbal": 400, // §3.1.2.1 ...
	"ltgtruri": 400, "lwsruri": 400, "lwsstart": 400, "trws": 400, "escruri": 400, "regbadct": 400,
	"badaspec": 400, "baddn": 400, "badvers": 505, "mismatch01": 400, "mismatch02": 400, "bigcode": 400,
	"insuf": 400, "multi01": 400, "mcl01": 400, // §3.3
}

func TestRFC4475(t *testing.T) {
	files, err := filepath.Glob("testdata/rfc4475/*.dat")
	if err != nil || len(files) != 49 {
		t.Fatalf("%d messages, %v; RFC 4475 has 49", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".dat")
		req, res, err := Parse(data)
		want := tortureRefused[name]
		if want == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if req != nil && len(req.Odd) > 0 || res != nil && len(res.Odd) > 0 {
				t.Errorf("%s: passed over %v %v", name, req, res)
			}
			continue
		}
		if e, ok := errors.AsType[*ParseError](err); !ok || e.Status != want {
			t.Errorf("%s: %v, want status %d", name, err, want)
		}
	}
}
