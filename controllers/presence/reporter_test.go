package presence

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
)

func TestAServerJoinsBeforeItLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		b.wantCurrent(false)
		stop := b.run()
		b.want("0s create", "0s relist", "0s feed starts")
		b.wantCurrent(false)
		b.at(time.Second)
		b.move("100")
		b.wantCurrent(true) // before anybody is told, for whoever asked is waiting for it
		b.want("1s update 100")
		stop()
		b.want("1s delete")
		b.wantCurrent(false)
	})
}

// A server that starts again under its name goes on with its Lease, and joins all the
// same: what the one before had seen is none of its business.
func TestAServerThatStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		b.store(Report{Identity: "a", Renewed: time.Now(), Seen: "90"}.Lease("system"))
		stop := b.run()
		b.want("0s create", "0s get", "0s update", "0s relist", "0s feed starts")
		b.wantCurrent(false)
		b.at(time.Second)
		b.move("100")
		b.wantCurrent(true)
		b.want("1s update 100")
		stop()
		b.want("1s delete")
	})
}

func TestRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		stop := b.run()
		b.move("100")
		b.at(200 * time.Millisecond)
		b.want("0s create", "0s relist", "0s feed starts", "200ms update 100")

		b.at(11 * time.Second) // idle
		b.want("5.2s update 100", "10.2s update 100")
		b.move("101") // at once
		b.want("11s update 101")
		for i := range 100 { // ten a second
			b.at(11*time.Second + time.Duration(i)*10*time.Millisecond)
			b.move(strconv.Itoa(102 + i))
		}
		b.want("11.2s update 121", "11.4s update 141", "11.6s update 161", "11.8s update 181")
		b.at(12 * time.Second)
		b.want("12s update 201")

		// Uses alone are told of with the next renewal, or with a position.
		b.do(func() { b.uses.add(false, 3, 7) })
		b.at(17 * time.Second)
		b.want("17s update 201 8@3m0s")
		b.do(func() { b.uses.add(true, 4, 7) })
		b.at(18 * time.Second)
		b.move("300")
		b.want("18s update 300 8@4m0s")
		stop()
	})
}

// A server that can't renew its Lease stops to say that keys are nobody's before it
// isn't waited for, and joins again when it can.
func TestFencing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		stop := b.run()
		b.move("100")
		b.at(time.Second)
		b.do(func() { b.log, b.fails = nil, errors.New("unreachable") })
		b.at(10*time.Second + 199*time.Millisecond)
		b.wantCurrent(true)
		b.want("5.2s update 100", "6.2s update 100", "7.2s update 100", "8.2s update 100", "9.2s update 100")
		b.at(10*time.Second + 200*time.Millisecond)
		b.wantCurrent(false)
		b.at(11 * time.Second)
		b.want("10.2s update") // joins: without a position
		b.do(func() { b.fails = nil })
		b.at(11*time.Second + 200*time.Millisecond)
		b.want("11.2s update", "11.2s relist")
		b.wantCurrent(false)
		b.at(20 * time.Second) // the list takes long
		b.want("16.2s update")
		b.wantCurrent(false)
		b.move("200")
		b.wantCurrent(true)
		b.want("20s update 200")
		if n := testutil.ToFloat64(b.errors); n != 6 {
			t.Errorf("%v errors are counted, want 6", n)
		}
		stop()
	})
}

// A server that watches some namespaces tells of each, joins and is fenced as one, and
// isn't current before it has listed all of them.
func TestNamespacesAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		b.in = map[string]string{"busy": "", "idle": ""}
		stop := b.run()
		b.want("0s create  (busy=,idle=)", "0s relist", "0s feed starts")
		b.at(time.Second)
		moveIn := func(least, namespace, position string) {
			b.do(func() { b.in[namespace] = position })
			b.move(least)
		}
		moveIn("", "busy", "100") // the list of the other takes long
		b.want("1s update  (busy=100,idle=)")
		b.wantCurrent(false)
		b.at(2 * time.Second)
		moveIn("90", "idle", "90")
		b.want("2s update 90 (busy=100,idle=90)")
		b.wantCurrent(true)
		b.at(3 * time.Second)
		moveIn("90", "busy", "200") // at once, though the other is idle
		b.want("3s update 90 (busy=200,idle=90)")

		b.do(func() { b.fails = errors.New("unreachable") })
		b.at(14 * time.Second)
		b.wantCurrent(false)
		b.do(func() { b.log, b.fails = nil, nil })
		b.at(15 * time.Second)
		b.want("15s update  (busy=,idle=)", "15s relist")
		b.wantCurrent(false)
		moveIn("300", "busy", "300")
		moveIn("300", "idle", "301")
		b.wantCurrent(true)
		b.at(16 * time.Second)
		b.want("15.2s update 300 (busy=300,idle=301)")
		b.do(func() { b.lease = nil })
		b.at(21 * time.Second)
		b.want("20.2s update 300 (busy=300,idle=301)", "20.2s create  (busy=,idle=)", "20.2s relist")
		b.wantCurrent(false)
		stop()
	})
}

// If the first write fails, known keys work all the same.
func TestAServerThatCannotJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		b.fails = apierrors.NewForbidden(resource, "a", errors.New("no such role"))
		stop := b.run()
		b.want("0s create", "0s feed starts")
		b.move("100")
		b.wantCurrent(false)
		b.at(150 * time.Second)
		b.wantCurrent(false)
		if n := testutil.ToFloat64(b.errors); n != 151 {
			t.Errorf("%v errors are counted, want 151", n)
		}
		if len(b.said) != 3 || !strings.Contains(b.said[0], "no such role") { // at once, after 1 and 2 minutes
			t.Errorf("the log says %d times: %q", len(b.said), b.said)
		}
		b.do(func() { b.log, b.fails = nil, nil })
		b.at(151 * time.Second)
		b.want("2m31s create", "2m31s relist")
		b.move("200")
		b.wantCurrent(true)
		if len(b.said) != 4 || !strings.Contains(b.said[3], "written again") {
			t.Errorf("the log says %q", b.said)
		}
		stop()
	})
}

func TestLeasesThatOthersChange(t *testing.T) {
	tests := map[string]struct {
		change  func(b *booth)
		want    []string
		current bool
	}{
		"edited": {
			func(b *booth) { b.store(b.lease) },
			[]string{"5.2s update 100", "5.2s get", "5.2s update 100"}, true,
		},
		// Nobody waited for it since it is gone.
		"deleted": {
			func(b *booth) { b.lease = nil },
			[]string{"5.2s update 100", "5.2s create", "5.2s relist"}, false,
		},
		"an attempt seemed to fail": {
			func(b *booth) { b.fails = errors.New("connection lost") },
			[]string{"5.2s update 100", "6.2s update 100", "6.2s get", "6.2s update 100"}, true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBooth(t)
				stop := b.run()
				b.move("100")
				b.at(time.Second)
				b.do(func() {
					b.log = nil
					tt.change(b)
				})
				b.at(6 * time.Second)
				b.do(func() {
					if b.fails != nil {
						b.fails = nil
						b.store(b.lease) // it did arrive
					}
				})
				b.at(7 * time.Second)
				b.want(tt.want...)
				b.wantCurrent(tt.current)
				stop()
			})
		})
	}
}

// A machine that was suspended has a monotonic clock that knows nothing of it, and
// one whose clock is set back a wall clock that knows as little.
func TestBothClocksCount(t *testing.T) {
	now := time.Now()
	until := now.Add(fencedAfter)
	for name, tt := range map[string]struct {
		at   time.Time
		want bool
	}{
		"now":       {now, true},
		"in time":   {now.Add(fencedAfter - 1), true},
		"late":      {now.Add(fencedAfter), false},
		"by a wall": {now.Round(0).Add(fencedAfter), false},
	} {
		r := &Reporter{}
		r.until.Store(&until)
		if got := r.waitedFor(tt.at); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// What was used since the last report is told before the Lease goes.
func TestLastUsesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		stop := b.run()
		b.move("100")
		b.at(time.Second)
		b.do(func() { b.log = nil })
		b.do(func() { b.uses.add(true, 3, 7) })
		stop()
		b.want("1s update 100 8@3m0s", "1s delete")
		roster := NewRoster(clock.RealClock{})
		roster.Heed(Report{Used: []Use{{Beginning: "0123456789abcdef", At: time.Now().Truncate(time.Minute)}}}.Lease("system"))
		if at, ok := roster.LastUsed("sha256:0123456789abcdef"); !ok || !at.Equal(time.Now().Truncate(time.Minute)) {
			t.Errorf("the controller knows of %v, %v", at, ok)
		}
	})
}

func TestAServerThatCannotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBooth(t)
		b.Leases = stuck{b}
		stop := b.run()
		stop()
		if took := time.Since(b.began); took != leaveTimeout {
			t.Errorf("it took %v, want %v", took, leaveTimeout)
		}
	})
}

// stuck answers no Delete.
type stuck struct{ *booth }

func (stuck) Delete(ctx context.Context, _ string, _ metav1.DeleteOptions) error {
	<-ctx.Done()
	return ctx.Err()
}
