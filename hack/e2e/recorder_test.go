//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// recorder keeps what all Pods log and which raw keys there are, from the start on: a
// Pod that is replaced takes its log along, and a rotation the key before.
type recorder struct {
	ctx context.Context //nolint:containedctx // that of what it follows
	api kubernetes.Interface

	mu   sync.Mutex // guards what follows
	logs map[string]*podLog
	lost map[string]error
	keys map[string]string // what it is of, by raw key
}

// podLog is what a container wrote, one that was started again included.
type podLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *podLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *podLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func record(t *testing.T, api kubernetes.Interface) *recorder {
	t.Helper()
	r := &recorder{ctx: t.Context(), api: api, logs: map[string]*podLog{}, lost: map[string]error{}, keys: map[string]string{}}
	all := informers.NewSharedInformerFactory(api, 0)
	ours := informers.NewSharedInformerFactoryWithOptions(api, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = v1alpha1.LabelAPIKeyUID
	}))
	for informer, see := range map[cache.SharedIndexInformer]func(any){
		all.Core().V1().Pods().Informer():     r.seePod,
		ours.Core().V1().Secrets().Informer(): r.seeSecret,
	} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, now any) { see(now) }}); err != nil {
			t.Fatal(err)
		}
		go informer.Run(t.Context().Done())
		if !cache.WaitForCacheSync(t.Context().Done(), informer.HasSynced) {
			t.Fatal("the tests can't watch Pods and Secrets")
		}
	}
	return r
}

func (r *recorder) seeSecret(o any) {
	s, ok := o.(*corev1.Secret)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if raw := string(s.Data["api-key"]); raw != "" {
		r.keys[raw] = s.Namespace + "/" + s.Name
	}
}

// seePod follows each container that is new.
func (r *recorder) seePod(o any) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if before := s.LastTerminationState.Terminated; before != nil && before.ContainerID != "" {
			r.follow(p, s.Name, before.ContainerID, true)
		}
		if s.ContainerID != "" {
			r.follow(p, s.Name, s.ContainerID, false)
		}
	}
}

func (r *recorder) follow(p *corev1.Pod, container, id string, previous bool) {
	place := fmt.Sprintf("%s/%s/%s/%.20s", p.Namespace, p.Name, container, id[strings.LastIndex(id, "/")+1:])
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.logs[place] != nil {
		return
	}
	log := &podLog{}
	r.logs[place] = log
	go func() {
		var last error
		err := wait.PollUntilContextTimeout(r.ctx, 200*time.Millisecond, 5*time.Second, true, func(context.Context) (bool, error) {
			var stream io.ReadCloser
			stream, last = r.api.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: container, Follow: !previous, Previous: previous}).Stream(r.ctx)
			if last != nil {
				return false, nil //nolint:nilerr // the container may only just have started
			}
			_, last = io.Copy(log, stream)
			return true, errors.Join(last, stream.Close())
		})
		if err != nil && r.ctx.Err() == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.lost[place] = errors.Join(err, last)
		}
	}()
}

// written is all that was logged, by namespace, Pod, container and its id.
func (r *recorder) written() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]string{}
	for place, log := range r.logs {
		out[place] = log.String()
	}
	return out
}

// rawKeys are all that there ever were.
func (r *recorder) rawKeys() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.keys)
}

// unread are the logs that couldn't be read to their end.
func (r *recorder) unread() map[string]error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.lost)
}

// save writes all logs into a folder, to be read when the Pods are gone.
func (r *recorder) save(dir string) error {
	for place, text := range r.written() {
		file := filepath.Join(dir, strings.ReplaceAll(place, "/", "_")+".log")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
