package correlate

// ordered is what a queue can hold: before must order fully, so that equal
// searches go one way.
type ordered[T any] interface {
	*T
	before(*T) bool
}

// queue is a binary heap, the first on top. container/heap would allocate each
// of its values.
type queue[T any, P ordered[T]] []T

func (q *queue[T, P]) push(t T) {
	*q = append(*q, t)
	s := *q
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !P(&s[i]).before(&s[up]) {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (q *queue[T, P]) pop() T {
	s := *q
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*q = s
	for i := 0; ; {
		first := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < last && P(&s[down]).before(&s[first]) {
				first = down
			}
		}
		if first == i {
			return top
		}
		s[i], s[first] = s[first], s[i]
		i = first
	}
}
