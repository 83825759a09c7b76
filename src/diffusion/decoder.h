/* The last step of the reverse process as a distribution over 256 grey values, see decoder.c. */
#ifndef DD_DECODER_H
#define DD_DECODER_H

/* Returns -ln p(x | mean, sigma) in nats; x in [-1, 1], sigma > 0. */
double dd_decoder_nats(double x, double mean, double sigma);

/* Returns the same, and fills its derivatives by mean and by ln sigma^2. */
double dd_decoder_gradient(double *by_mean, double *by_log_variance, double x, double mean, double sigma);
#endif
