package board

import (
	"reflect"
	"testing"
)

func TestLineUsers(t *testing.T) {
	got := LineUsers(pi4(), Config{
		Inputs: []Input{{Name: "bell:front", Line: "GPIO17"}, {Name: "input:exit", Line: "gpiochip2:3"}},
		Relays: []Output{{Name: "door:front", Line: "pinctrl-bcm2711:27"}},
		Lamps:  []Output{{Name: "lamp:ring", Line: "GPIO99"}},
	})
	want := []LineUser{
		{"input", "bell:front", "GPIO17", "gpiochip0", 17},
		{"input", "input:exit", "gpiochip2:3", "gpiochip2", 3},
		{"relay", "door:front", "pinctrl-bcm2711:27", "gpiochip0", 27},
		{"lamp", "lamp:ring", "GPIO99", "", 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
