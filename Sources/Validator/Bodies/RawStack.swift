// Soundness: `base` <= `top` <= `limit`, all into one allocation that this value owns; elements
// are trivial (integers, enums, structs of these), so that memory needs no deinitialization and may
// be read after it was popped until it is pushed over. Methods that read below `top` say what
// the caller must have checked. Growing moves the elements: pointers to them do not survive a push.

/// A stack in raw memory that keeps its memory for the next function.
struct RawStack<Element>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Element>
    var top: UnsafeMutablePointer<Element>
    private var limit: UnsafeMutablePointer<Element>

    init(capacity: Int) {
        base = .allocate(capacity: max(capacity, 1))
        top = base
        limit = base + max(capacity, 1)
    }

    deinit { base.deallocate() }

    @inline(__always) var count: Int { top - base }
    @inline(__always) var isEmpty: Bool { top == base }

    /// `index` must be below `count`.
    @inline(__always)
    subscript(index: Int) -> Element {
        get { base[index] }
        set { base[index] = newValue }
    }

    @inline(__always)
    mutating func push(_ element: Element) {
        if top == limit { grow(by: 1) }
        top.initialize(to: element)
        top += 1
    }

    /// Pushes `count` elements; `elements` must not point into this stack.
    @inline(__always)
    mutating func push(_ elements: UnsafePointer<Element>, count: Int) {
        if limit - top < count { grow(by: count) }
        top.initialize(from: elements, count: count)
        top += count
    }

    mutating func push(_ element: Element, repeated count: Int) {
        if limit - top < count { grow(by: count) }
        top.initialize(repeating: element, count: count)
        top += count
    }

    /// Takes the last element; there must be one.
    @inline(__always)
    mutating func pop() -> Element {
        top -= 1
        return top.pointee
    }

    @inline(__always)
    mutating func removeAll() { top = base }

    /// Keeps the first `count` elements; there must be that many.
    @inline(__always)
    mutating func truncate(to count: Int) { top = base + count }

    /// At least doubles, so that all pushes together cost no more than twice the elements.
    @inline(never)
    private mutating func grow(by additional: Int) {
        let count = self.count
        let capacity = max((limit - base) &* 2, count &+ additional)
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        larger.initialize(from: base, count: count)
        base.deallocate()
        base = larger
        top = larger + count
        limit = larger + capacity
    }

    /// Gives memory back that only an unusual function needed. Empties the stack.
    mutating func shrink(to capacity: Int) {
        removeAll()
        guard limit - base > max(capacity, 1) else { return }
        base.deallocate()
        base = .allocate(capacity: max(capacity, 1))
        top = base
        limit = base + max(capacity, 1)
    }
}
