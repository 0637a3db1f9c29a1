import Synchronization

@testable import Kernels

/// From here on all scratch memory of this process is handed out full of what is not a number: a kernel that reads what
/// it never wrote shows it in its results.
func poisonScratch() { Scratch.isPoisoned.store(true, ordering: .relaxed) }
