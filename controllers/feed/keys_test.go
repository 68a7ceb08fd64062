package feed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// script is a source of APIKeys whose answers a test gives, one by one.
type script struct {
	*testing.T
	keys  *keys
	lists chan metav1.ListOptions // asked for
	list  chan *v1alpha1.APIKeyList
	watch chan *watch.FakeWatcher // begun
}

func newScript(t *testing.T) *script {
	t.Helper()
	s := &script{T: t, lists: make(chan metav1.ListOptions), list: make(chan *v1alpha1.APIKeyList), watch: make(chan *watch.FakeWatcher)}
	s.keys = &keys{ring: keyring.New(keyring.HostPolicy{}), moved: make(chan struct{}, 1), source: consistent(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			select {
			case s.lists <- o:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			select {
			case list := <-s.list:
				return list, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			if o.SendInitialEvents != nil {
				return nil, errors.New("an API server that can't stream lists")
			}
			w := watch.NewFakeWithOptions(watch.FakeOptions{})
			select {
			case s.watch <- w:
				return w, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	})}
	return s
}

func (s *script) start() {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		s.keys.run(ctx)
		close(stopped)
	}()
	s.Cleanup(func() {
		cancel()
		<-stopped
	})
}

// asked waits for a list to be asked for, which must be of what is there now.
func (s *script) asked() {
	s.Helper()
	if o := <-s.lists; o.ResourceVersion != "" {
		s.Errorf("the list is asked for from resourceVersion %q", o.ResourceVersion)
	}
}

// answer answers a list, and returns the watch after it.
func (s *script) answer(rv string, keys ...*v1alpha1.APIKey) *watch.FakeWatcher {
	s.Helper()
	list := &v1alpha1.APIKeyList{ListMeta: metav1.ListMeta{ResourceVersion: rv}}
	for _, k := range keys {
		list.Items = append(list.Items, *k)
	}
	s.list <- list
	return <-s.watch
}

// want waits until the position has come to rv, and demands the raw keys that are
// known then.
func (s *script) want(rv, raws string) {
	s.Helper()
	for s.keys.at() != rv {
		select {
		case <-s.keys.moved:
		case <-time.After(time.Minute):
			s.Fatalf("the position is %q, want %q", s.keys.at(), rv)
		}
	}
	s.wantKnown(raws)
}

func (s *script) wantKnown(raws string) {
	s.Helper()
	var known []string
	for _, raw := range []string{"a", "b", "c", "d"} {
		if m, ok := s.keys.ring.Find(keyring.DefaultAPI, key.NewRaw(raw).Digest()); ok {
			known = append(known, raw+" of "+m.Key.UID)
		}
	}
	if got := strings.Join(known, ", "); got != raws {
		s.Errorf("known are %q, want %q", got, raws)
	}
}

// apiKeyOf returns an APIKey of a name and uid that holds raw keys.
func apiKeyOf(name, uid, rv string, raws ...string) *v1alpha1.APIKey {
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, UID: types.UID(uid), ResourceVersion: rv}}
	for _, raw := range raws {
		k.Status.Keys = append(k.Status.Keys, v1alpha1.KeyVersion{Digest: key.NewRaw(raw).Digest().String(), Phase: v1alpha1.KeyCurrent})
	}
	return k
}

func bookmark(rv string) *v1alpha1.APIKey {
	return &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{ResourceVersion: rv}}
}

// Whatever a position says has reached the ring.
func TestPosition(t *testing.T) {
	s := newScript(t)
	if at := s.keys.at(); at != "" {
		t.Errorf("before the first list it is at %q", at)
	}
	s.start()
	s.asked()
	w := s.answer("10", apiKeyOf("k", "1", "3", "a"), apiKeyOf("l", "2", "9", "b"))
	s.want("10", "a of 1, b of 2")
	w.Modify(apiKeyOf("k", "1", "11", "c", "a"))
	s.want("11", "a of 1, b of 2, c of 1")
	w.Action(watch.Bookmark, bookmark("25"))
	s.want("25", "a of 1, b of 2, c of 1")
	w.Delete(apiKeyOf("l", "2", "26", "b"))
	s.want("26", "a of 1, c of 1")
	w.Delete(apiKeyOf("k", "1", "27", "c", "a"))
	w.Add(apiKeyOf("k", "3", "28", "d"))
	s.want("28", "d of 3")
}

func TestRelist(t *testing.T) {
	s := newScript(t)
	s.keys.relist() // before there is anything to list anew
	s.start()
	s.asked()
	before := s.answer("10", apiKeyOf("k", "1", "3", "a"), apiKeyOf("l", "2", "9", "b"))
	s.want("10", "a of 1, b of 2")

	s.keys.relist()
	if at := s.keys.at(); at != "" {
		t.Errorf("it is at %q while it lists anew", at)
	}
	s.asked()
	s.wantKnown("a of 1, b of 2")
	if !before.IsStopped() {
		t.Error("the watch of before goes on")
	}

	// Another one in between: the list under way may be of before.
	s.keys.relist()
	s.asked()
	s.answer("20", apiKeyOf("k", "4", "15", "a"), apiKeyOf("m", "5", "16", "d"))
	s.want("20", "a of 4, d of 5")
	if n := s.keys.ring.Len(); n != 2 {
		t.Errorf("the ring has %d keys, want 2", n)
	}
}

// A reflector that is late with what it read changes nothing of the position.
func TestAReadingOfBeforeMovesNothing(t *testing.T) {
	s := newScript(t)
	first := s.keys.begin(t.Context())
	if err := first.Replace([]any{apiKeyOf("k", "1", "3", "a")}, "10"); err != nil {
		t.Fatal(err)
	}
	s.keys.relist()
	first.UpdateResourceVersion("11")
	if at := s.keys.at(); at != "" {
		t.Errorf("it is at %q", at)
	}
	s.keys.end(first)
	second := s.keys.begin(t.Context())
	first.UpdateResourceVersion("12")
	s.keys.end(first)
	if err := second.Replace(nil, "20"); err != nil {
		t.Fatal(err)
	}
	s.want("20", "")
}

func TestOnlyAPIKeysAreTaken(t *testing.T) {
	s := newScript(t)
	r := s.keys.begin(t.Context())
	other := &v1alpha1.ProtectedAPI{}
	for what, do := range map[string]func() error{
		"Add": func() error { return r.Add(other) }, "Update": func() error { return r.Update(other) }, "Delete": func() error { return r.Delete(other) },
		"Replace": func() error { return r.Replace([]any{other}, "7") },
	} {
		if err := do(); err == nil || s.keys.at() != "" {
			t.Errorf("%s took a ProtectedAPI: %v, at %q", what, err, s.keys.at())
		}
	}
}

// A list that is streamed is gathered as compiled keys: of a million APIKeys none is
// held.
func TestAStreamedListIsGatheredCompiled(t *testing.T) {
	s := newScript(t)
	r := s.keys.begin(t.Context())
	gather := r.Transformer()
	var list []any
	for _, k := range []*v1alpha1.APIKey{apiKeyOf("k", "1", "3", "a"), apiKeyOf("l", "2", "4", "b")} {
		gathered, err := gather(k)
		if _, ok := gathered.(*keyring.Key); !ok || err != nil {
			t.Fatalf("got a %T, %v", gathered, err)
		}
		list = append(list, gathered)
	}
	if gathered, err := gather(&v1alpha1.ProtectedAPI{}); err == nil {
		t.Errorf("it gathers a ProtectedAPI as a %T", gathered)
	}
	s.wantKnown("")
	if err := r.Replace(list, "10"); err != nil {
		t.Fatal(err)
	}
	s.want("10", "a of 1, b of 2")
	if err := r.Replace(list[1:], "11"); err != nil {
		t.Fatal(err)
	}
	s.want("11", "b of 2")
}

// Against a real API server: a position is never ahead of the ring, and reaches
// what was written.
func TestPositionReachesWrites(t *testing.T) {
	w := newWorld(t)
	w.namespace("feed", nil)
	w.start()
	w.until("synced", w.feed.HasSynced)
	for i := range 20 {
		name := fmt.Sprintf("written-%d", i)
		k := w.issue(name, "raw-"+name, v1alpha1.APIKeySpec{})
		if i%5 == 0 {
			w.feed.Relist()
		}
		w.until("the position of the write", func() bool {
			ahead, err := resourceversion.CompareResourceVersion(w.feed.Position(), k.ResourceVersion)
			return err == nil && ahead >= 0
		})
		for j := range i + 1 {
			if raw := fmt.Sprintf("raw-written-%d", j); w.state(raw) != int(keyring.Active) {
				t.Errorf("at %s, but %s isn't known", w.feed.Position(), raw)
			}
		}
	}
}
