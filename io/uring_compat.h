/* SPDX-License-Identifier: Apache-2.0
 *
 * Flags of the kernel's interface that Debian's liburing 2.3 does not name yet. Each is used only
 * where the kernel has been asked (io/uring.c, `probe`).
 */
#ifndef WRING_IO_URING_COMPAT_H
#define WRING_IO_URING_COMPAT_H

#include <liburing.h>

#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16) /* Linux 6.6 */
#endif

/* Linux 6.12; in io_uring_buf_reg the flags are where liburing 2.3 has `pad`. */
#define WRING__PBUF_RING_INC  2
#define WRING__CQE_F_BUF_MORE (1U << 4)

/* Linux 6.17: a multishot receive ends after so many bytes, and each of its receives brings half as
 * many at most; the last one may go beyond the total. liburing 2.3 has `file_index` there. */
static inline void wring__sqe_set_recv_total(struct io_uring_sqe *sqe, uint32_t bytes) {
    sqe->file_index = bytes;
    sqe->len = bytes / 2;
}

#endif
