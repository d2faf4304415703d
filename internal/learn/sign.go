package learn

import "math"

// SignTest is how likely it is that, of better+worse cases that changed, as
// many as better or more got better if either was as likely for each: the exact
// one-sided sign test, a binomial tail with p = 1/2. Cases that did not change
// say nothing. It is 1 when none did.
//
// W. J. Dixon and A. M. Mood, The statistical sign test, Journal of the
// American Statistical Association 41 (1946), 557–566.
func SignTest(better, worse int) float64 {
	n := better + worse
	lgamma := func(x int) float64 {
		l, _ := math.Lgamma(float64(x))
		return l
	}
	p := 0.0
	for k := better; k <= n; k++ {
		p += math.Exp(lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1) - float64(n)*math.Ln2)
	}
	return min(p, 1)
}
