// Soundness: both buffers have the count of bytes that is compared.

import WasmSystem

extension ArraySlice where Element == UInt8 {
    /// Whether these are the same bytes. Faster than `==`, which compares them one by one.
    func hasSameBytes(as other: ArraySlice<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return unsafe withUnsafeBytes { one in
            unsafe other.withUnsafeBytes { two in
                guard let first = one.baseAddress, let second = two.baseAddress else {
                    return true
                }
                return unsafe Bytes.areEqual(first, second, one.count)
            }
        }
    }
}
