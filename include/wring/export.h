/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiler attributes of the public headers. Everything public is exported by name; the libraries
 * are built with hidden visibility.
 */
#ifndef WRING_EXPORT_H
#define WRING_EXPORT_H

#if defined(__GNUC__)
/** A public function. */
#define WRING_API __attribute__((visibility("default")))
/** The compiler warns when the result is ignored. */
#define WRING_MUST_CHECK __attribute__((warn_unused_result))
/** The compiler checks the arguments from `a` on against the format, which is argument `f`. */
#define WRING_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define WRING_API
#define WRING_MUST_CHECK
#define WRING_PRINTF(f, a)
#endif

#ifdef __cplusplus
#define WRING_BEGIN_DECLS extern "C" {
#define WRING_END_DECLS   }
#else
/** Before declarations of C, for C++. */
#define WRING_BEGIN_DECLS
/** Behind them. */
#define WRING_END_DECLS
#endif

#endif
