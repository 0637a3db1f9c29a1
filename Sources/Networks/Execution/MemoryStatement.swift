/// The memory a plan takes, known before any of it is taken. Bytes.
package struct MemoryStatement: Hashable, Sendable, CustomStringConvertible {
    /// Feature maps, their gradients, and what layers keep for the backward pass.
    package let activations: Int
    /// Parameters as convolutions read them: those of fast convolutions transformed, which takes up to 8 times their own
    /// memory, but no more than 8 MiB of a layer; larger ones are transformed when they are used.
    package let packedWeights: Int
    /// Working memory of the kernels on all threads.
    package let scratch: Int
    /// Parameters, and in training their gradients and the optimiser's moments.
    package let parameters: Int

    package var total: Int { activations + packedWeights + scratch + parameters }

    package var description: String {
        func mebibytes(_ bytes: Int) -> String { "\((bytes + (1 << 20) - 1) >> 20) MiB" }
        return
            "\(mebibytes(total)): \(mebibytes(activations)) feature maps, \(mebibytes(packedWeights)) packed weights, "
            + "\(mebibytes(parameters)) parameters, \(mebibytes(scratch)) working memory"
    }
}
