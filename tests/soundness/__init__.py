"""The soundness harness: model ensembles whose truth is known, evidence hidden from them, and labels compared with the truth."""
