//! Where a guest's memory comes from: first a stretch that the component has from its start, then what the standard
//! library asks the engine for.
//!
//! The gate gives each question an instance of its own, and a few kilobytes are all that one needs. To let its memory grow for
//! them costs the host two changes of its page table, which keep other threads waiting; with the stretch there is none, and a
//! fresh call takes about a quarter less time.
//!
//! Limit: what is freed in the stretch is used again only where it was the last that was handed out. It is for the
//! beginning of a life: a redactor of a long stream soon lives from the standard library's allocator alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Size of the stretch, in bytes. What is never used of it costs nothing.
const START_BYTES: usize = 131_072;

#[repr(align(16))]
struct Stretch(UnsafeCell<[u8; START_BYTES]>);

/// The allocator of a guest.
pub(crate) struct Heap {
    stretch: Stretch,
    /// How much of the stretch is handed out.
    used: Cell<usize>,
}

// SAFETY: the only use is the global allocator of a target without threads, so no two calls are ever under way at once.
unsafe impl Sync for Heap {}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self {
            stretch: Stretch(UnsafeCell::new([0; START_BYTES])),
            used: Cell::new(0),
        }
    }

    fn start(&self) -> *mut u8 {
        self.stretch.0.get().cast()
    }

    /// Where in the stretch a pointer lies, if it does.
    fn place(&self, pointer: *mut u8) -> Option<usize> {
        let place = pointer.addr().checked_sub(self.start().addr())?;
        (place < START_BYTES).then_some(place)
    }

    /// Whether the last that was handed out ends where this ends.
    fn is_last(&self, place: usize, size: usize) -> bool {
        place + size == self.used.get()
    }
}

// SAFETY: what lies in the stretch is handed out once: `used` only goes back to the start of the last one, which its owner has
// just given up. Everything else goes to the standard library's allocator, and comes back to it, because no pointer of it
// lies in the stretch.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.start().addr();
        let place = (start + self.used.get()).next_multiple_of(layout.align()) - start;
        match place.checked_add(layout.size()) {
            Some(end) if end <= START_BYTES => {
                self.used.set(end);
                // SAFETY: the place and the end lie within the stretch.
                unsafe { self.start().add(place) }
            }
            // SAFETY: the caller's own promise.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.place(pointer) {
            Some(place) if self.is_last(place, layout.size()) => self.used.set(place),
            Some(_) => {}
            // SAFETY: the caller's own promise; the pointer is not of the stretch.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(pointer) else {
            // SAFETY: the caller's own promise; the pointer is not of the stretch.
            return unsafe { System.realloc(pointer, layout, size) };
        };
        if self.is_last(place, layout.size())
            && let Some(end) = place.checked_add(size).filter(|end| *end <= START_BYTES)
        {
            self.used.set(end);
            return pointer;
        }
        if size <= layout.size() {
            return pointer;
        }
        // SAFETY: the size is larger than that of a layout which is one, and the caller promises that it does not overflow.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: the two do not overlap, and both are at least as long as the old one.
            unsafe {
                pointer.copy_to_nonoverlapping(new, layout.size());
                self.dealloc(pointer, layout);
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size, 8).ok()
    }

    /// A vector's life by hand: what was written is there after each growth, within the stretch and out of it.
    #[test]
    fn what_was_written_survives_every_growth() {
        let heap = Heap::new();
        let sizes = [24, 100, 5_000, 5_000, 90_000, START_BYTES + 1, 300_000];
        let mut layouts = sizes.iter().filter_map(|size| layout(*size));
        let Some(mut old) = layouts.next() else {
            return;
        };
        // SAFETY: layouts are passed as they were asked for, and nothing is touched after it was given up.
        unsafe {
            let mut pointer = heap.alloc(old);
            pointer.write_bytes(7, old.size());
            for new in layouts {
                let between = heap.alloc(new);
                pointer = heap.realloc(pointer, old, new.size());
                let bytes = std::slice::from_raw_parts(pointer, old.size());
                assert!(bytes.iter().all(|byte| *byte == 7));
                pointer.write_bytes(7, new.size());
                heap.dealloc(between, new);
                old = new;
            }
            heap.dealloc(pointer, old);
        }
    }

    #[test]
    fn the_last_one_that_is_given_up_is_handed_out_again_and_others_are_not() {
        let heap = Heap::new();
        let Some(layout) = layout(64) else { return };
        // SAFETY: as above.
        unsafe {
            let first = heap.alloc(layout);
            let second = heap.alloc(layout);
            heap.dealloc(second, layout);
            assert_eq!(heap.alloc(layout), second);
            heap.dealloc(first, layout);
            let third = heap.alloc(layout);
            assert!(third != first && third != second);
        }
    }

    #[test]
    fn every_alignment_holds_up_to_the_end_of_the_stretch_and_beyond() {
        let heap = Heap::new();
        for at in 0..3_000 {
            let Ok(layout) = Layout::from_size_align(1 + at % 97, 1 << (at % 8)) else {
                return;
            };
            // SAFETY: as above; what lies outside the stretch is given back at once.
            unsafe {
                let pointer = heap.alloc(layout);
                assert!(!pointer.is_null() && pointer.addr() % layout.align() == 0);
                pointer.write_bytes(1, layout.size());
                if heap.place(pointer).is_none() {
                    heap.dealloc(pointer, layout);
                }
            }
        }
    }
}
