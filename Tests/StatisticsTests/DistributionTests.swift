import Statistics
import Testing

@Suite struct DistributionTests {
    // Regularised incomplete beta with 40 digits (mpmath 1.4.1), rounded to double.
    @Test(arguments: [
        (0.5, 1.0, 0.70483276469913345), (2, 3, 0.13932596855884318), (12.706204736174698, 1, 0.050000000000000027),
        (2.5, 10, 0.031446844236608804), (6, 30, 1.3942768767204743e-6), (1.96, 1000, 0.050273184955748718),
        (40, 12, 3.8512295807720338e-14), (8, 200_000, 1.2507760356860311e-15), (0.001, 7, 0.99923001724499884),
        (3.3, 2.5, 0.05940212877944411),
    ])
    func studentTail(t: Double, degrees: Double, expected: Double) {
        #expect(relativeError(StudentT.twoSided(t, degreesOfFreedom: degrees), expected) < 1e-12)
        #expect(StudentT.twoSided(-t, degreesOfFreedom: degrees) == StudentT.twoSided(t, degreesOfFreedom: degrees))
        #expect(abs(StudentT.cumulative(t, degreesOfFreedom: degrees) - (1 - expected / 2)) < 1e-15)
        #expect(relativeError(StudentT.cumulative(-t, degreesOfFreedom: degrees), expected / 2) < 1e-12)
    }

    // As above.
    @Test(arguments: [
        (1.0, 1.0, 1.0, 0.5), (3.5, 2, 20, 0.049735022076097138), (0.3, 5, 7, 0.89815576432788467),
        (25, 4, 100, 2.3092638912203256e-14), (1.5, 30, 3000, 0.039657619902198892),
        (120, 1, 46, 2.0711134751327677e-14), (1.01, 2000, 180_000, 0.37304884862966979),
    ])
    func fisherTail(f: Double, numerator: Double, denominator: Double, expected: Double) {
        let value = FisherF.upperTail(f, numerator: numerator, denominator: denominator)
        #expect(relativeError(value, expected) < 1e-12, "\(value)")
    }

    // Critical values as in any printed table; further digits from mpmath 1.4.1 (SciPy's own are right to 1e-11 only).
    @Test(arguments: [
        (0.05, 1.0, 12.706204736174705), (0.05, 10, 2.2281388519862747), (0.01, 30, 2.7499956535672253),
        (0.05, 120, 1.9799304050824408), (0.001, 5, 6.8688266258811102),
    ])
    func studentCritical(probability: Double, degrees: Double, expected: Double) {
        #expect(relativeError(StudentT.twoSidedCritical(probability, degreesOfFreedom: degrees), expected) < 1e-12)
    }

    @Test(arguments: [
        (0.05, 3.0, 10.0, 3.7082648190468445), (0.01, 5, 20, 4.1026846305847331), (0.025, 1, 8, 7.5708820996917496),
    ])
    func fisherCritical(probability: Double, numerator: Double, denominator: Double, expected: Double) {
        let value = FisherF.critical(probability, numerator: numerator, denominator: denominator)
        #expect(relativeError(value, expected) < 1e-12)
    }

    @Test func degenerateArguments() {
        #expect(StudentT.twoSided(0, degreesOfFreedom: 5) == 1)
        #expect(StudentT.twoSided(.infinity, degreesOfFreedom: 5) == 0)
        #expect(StudentT.twoSided(.nan, degreesOfFreedom: 5).isNaN)
        #expect(relativeError(StudentT.twoSided(1e100, degreesOfFreedom: 1), 2e-100 / .pi) < 1e-12)
        #expect(FisherF.upperTail(0, numerator: 2, denominator: 3) == 1)
        #expect(FisherF.upperTail(-1, numerator: 2, denominator: 3) == 1)
        #expect(FisherF.upperTail(.infinity, numerator: 2, denominator: 3) == 0)
    }

    @Test func relationsBetweenDistributions() {
        // t² with ν degrees of freedom is F(1, ν); t with very many degrees of freedom is normal.
        for t in [0.1, 0.9, 2.2, 7.5] {
            let student = StudentT.twoSided(t, degreesOfFreedom: 13)
            #expect(relativeError(FisherF.upperTail(t * t, numerator: 1, denominator: 13), student) < 1e-13)
            #expect(relativeError(StudentT.twoSided(t, degreesOfFreedom: 1e8), Normal.twoSided(t)) < 1e-5)
        }
        #expect(abs(Normal.cumulative(1.959963984540054) - 0.975) < 1e-15)
    }
}

func relativeError(_ value: Double, _ expected: Double) -> Double { abs(value - expected) / abs(expected) }
