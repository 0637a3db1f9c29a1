#include <nifti/nifti2_io.h>
// The gzip layer is ours, so that a short or damaged stream is an error rather than a short read.
#include <zlib.h>
