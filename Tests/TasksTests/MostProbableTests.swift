import Testing

@testable import Tasks

/// Which class probabilities say.
@Suite struct MostProbableTests {
    @Test func theLargestAndOfTwoEqualOnesThePositive() {
        #expect(MostProbable.index(of: [0.2, 0.7, 0.1]) == 1)
        #expect(MostProbable.index(of: [0.7, 0.3]) == 0)
        // Evaluations call positive what has a half or more.
        #expect(MostProbable.index(of: [0.5, 0.5]) == 1)
        // Of several classes, a tie is no reason to leave the first, which is often what is no lesion.
        #expect(MostProbable.index(of: [0.4, 0.2, 0.4]) == 0)
    }
}
