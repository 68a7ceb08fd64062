package counts

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTally(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1000, 0).UTC().Add(time.Duration(ms) * time.Millisecond) }
	tally := New()
	for _, call := range []Call{
		{Key: "old-key", Err: errors.New("no such host"), Start: at(-50), End: at(-20)},
		{Key: "old-key", Status: 200, Start: at(0), End: at(5)},
		{Key: "old-key", Status: 200, Start: at(50), End: at(60)},
		{Key: "new-key", Status: 200, Start: at(100), End: at(107)},
		{Key: "old-key", Status: 401, Start: at(180), End: at(181)},
		{Key: "old-key", Status: 401, Start: at(200), End: at(201)},
		{Err: errors.New("no such file"), Start: at(250), End: at(251)},
	} {
		tally.Add(call)
	}
	c := tally.Snapshot()
	if c.Waited != 1 || c.Total != 6 || c.Allowed != 3 || c.Denied[401] != 2 || c.Errors != 1 || c.NotAllowed() != 3 || c.LastError != "no such file" {
		t.Errorf("got %+v", c)
	}
	if c.LongestCall != 10*time.Millisecond || c.LongestGap != 80*time.Millisecond {
		t.Errorf("longest call %s, gap %s, want 10ms, 80ms", c.LongestCall, c.LongestGap)
	}
	want := Use{Calls: 4, Allowed: 2, First: at(0), Last: at(200), LastAllowed: at(50), FirstDenied: at(181)}
	if got := c.Keys[Digest("old-key")]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	text, err := json.Marshal(c)
	if err != nil || strings.Contains(string(text), "-key") {
		t.Errorf("a raw key is in %s (%v)", text, err)
	}
}
