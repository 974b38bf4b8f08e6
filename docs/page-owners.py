#!/usr/bin/env drgn
"""Print the owners of guest pages as CSV: gfn,owner,kind (for --owners).

    drgn -c guest.dump -s vmlinux page-owners.py [GFN | FIRST-LAST]... > owners.csv
    drgn page-owners.py > owners.csv                 inside the guest, as root

Without arguments every page of the guest's memory is looked at. Best effort:
an anonymous page names the first process whose mapping covers it (rmap), a
page of a file its path, a slab page its cache. What cannot be told is left
empty or out; reading never changes the guest.
"""

import csv
import sys

from drgn import FaultError, Object, cast
from drgn.helpers.linux.fs import inode_path
from drgn.helpers.linux.mm import (
    PageReserved,
    PageSlab,
    compound_head,
    for_each_page,
    page_to_pfn,
    pfn_to_page,
)
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry

try:
    from drgn.helpers.linux.mm import PageBuddy
except ImportError:  # drgn before 0.0.24, which knows no kernel after 6.9 either

    def PageBuddy(page):
        # PAGE_TYPE_BASE and PG_buddy (include/linux/page-flags.h before 6.10)
        return page.page_type.value_() & 0xF0000080 == 0xF0000000


# Low bits of page->mapping (include/linux/page-flags.h).
PAGE_MAPPING_ANON = 1
PAGE_MAPPING_MOVABLE = 2
PAGE_MAPPING_FLAGS = 3

MOST_MAPPINGS = 64


def text(raw):
    return raw.string_().decode("utf-8", "replace")


def has_flag(page, flag):
    """Tests a bit of page->flags by its name in enum pageflags."""
    return bool(page.flags.value_() >> prog.constant(flag).value_() & 1)


def in_swap_cache(page):
    # PG_swapcache shares its bit with another flag on pages without PG_swapbacked.
    return has_flag(page, "PG_swapbacked") and has_flag(page, "PG_swapcache")


def processes():
    """mm_struct address -> "comm, pid N" of its thread group leader."""
    names = {}
    for task in for_each_task(prog):
        mm = task.mm.value_()
        if mm and task.pid == task.tgid:
            names[mm] = f"{text(task.comm)}, pid {task.tgid.value_()}"
    return names


PROCESSES = processes()
PAGE_SHIFT = prog["PAGE_SHIFT"].value_()


def anon_owner(page):
    """Walks anon_vma of a mapped anonymous page (mm/rmap.c, rmap_walk_anon)."""
    mapping = page.mapping.value_() & ~PAGE_MAPPING_FLAGS
    anon_vma = cast("struct anon_vma *", mapping_pointer(mapping))
    index = page.index.value_()
    found = []
    chains = rbtree_inorder_for_each_entry(
        "struct anon_vma_chain", anon_vma.rb_root.rb_root.address_of_(), "rb"
    )
    for count, chain in enumerate(chains):
        if count == MOST_MAPPINGS:
            break
        vma = chain.vma
        first = vma.vm_pgoff.value_()
        pages = (vma.vm_end.value_() - vma.vm_start.value_()) >> PAGE_SHIFT
        if first <= index < first + pages:
            name = PROCESSES.get(vma.vm_mm.value_())
            if name and name not in found:
                found.append(name)
    if len(found) > 1:
        return f"{found[0]} and {len(found) - 1} more"
    return found[0] if found else ""


def mapping_pointer(value):
    return Object(prog, "void *", value)


def file_owner(mapping):
    path = inode_path(mapping.host) if mapping.host else None
    return path.decode("utf-8", "replace") if path else ""


def slab_owner(page):
    try:
        cache = cast("struct slab *", page).slab_cache  # Linux 5.17 and later
    except LookupError:
        cache = page.slab_cache
    return text(cache.name) if cache else ""


def owner_of(page):
    """(owner, kind) of a page, or None for a free or unknown one."""
    head = compound_head(page)
    if PageBuddy(head):
        return None
    if PageSlab(head):
        return slab_owner(head), "slab"
    mapping = head.mapping.value_()
    flags = mapping & PAGE_MAPPING_FLAGS
    if flags & PAGE_MAPPING_MOVABLE:
        return "", "movable"
    if flags & PAGE_MAPPING_ANON:
        kind = "swap cache" if in_swap_cache(head) else "anon"
        return anon_owner(head), kind
    if in_swap_cache(head):
        # Read in, not mapped yet: only its swap entry says whose it is.
        return "", "swap cache"
    if mapping:
        kind = "shmem" if has_flag(head, "PG_swapbacked") else "file"
        return file_owner(head.mapping), kind
    if PageReserved(head):
        return "", "reserved"
    return ("", "kernel") if head._refcount.counter.value_() > 0 else None


def wanted_pages(arguments):
    for argument in arguments:
        first, _, last = argument.partition("-")
        for gfn in range(int(first, 0), int(last or first, 0) + 1):
            yield gfn, pfn_to_page(prog, gfn)


def all_pages():
    for page in for_each_page(prog):
        yield page_to_pfn(page).value_(), page


def main():
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["gfn", "owner", "kind"])
    pages = wanted_pages(sys.argv[1:]) if len(sys.argv) > 1 else all_pages()
    first = last = row = None
    for gfn, page in pages:
        try:
            found = owner_of(page)
        except (FaultError, ValueError, LookupError):
            found = None
        if row is not None and found == row and gfn == last + 1:
            last = gfn
            continue
        if row is not None:
            writer.writerow([span(first, last), *row])
        first = last = gfn
        row = found
    if row is not None:
        writer.writerow([span(first, last), *row])


def span(first, last):
    return hex(first) if first == last else f"{first:#x}-{last:#x}"


main()
