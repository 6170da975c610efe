/* Fresh memory comes in pages that the system hands out one by one, at the price of a copy of the tensor; large
   outputs therefore ask for huge pages, as NumPy does. A system without them, or that keeps them off, ignores it. */
#ifndef SOFTDRAW_PAGES_H
#define SOFTDRAW_PAGES_H

#include <stddef.h>
#include <stdint.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

static inline void ask_for_huge_pages(char *memory, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t page = 4096, begin = ((uintptr_t)memory + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)memory + bytes) & ~(page - 1);
    if (bytes >= (size_t)4 << 20) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)memory, (void)bytes;
#endif
}

#endif
