"""An example page for the claims service's own application: a claim, its POD, and a button to fetch the POD now.

`streamlit run docs/examples/fetch_button.py`
"""

from pathlib import Path

import streamlit as st

import recours


def main() -> None:
    st.title("Proof of delivery")
    reference = st.text_input("Claim", placeholder="CLM-2026-001").strip()
    if not reference:
        st.caption("Type the reference of a claim.")
        return
    try:
        if st.button("Fetch the proof of delivery"):
            with st.spinner("Fetching …"):
                result = recours.fetch_claim(reference, language="en")
            (st.success if result.fetched else st.warning)(result.sentence)
        show(recours.claim_status(reference, language="en"))
    except recours.CorrectReferenceError as error:
        st.error(str(error))
    except recours.ShowExistingPODError as error:
        st.info(str(error))
        show(recours.claim_status(reference, language="en"))
    except (recours.TryAgainSoonError, recours.TryLaterError) as error:
        st.warning(str(error))
    except recours.RecoursError as error:
        st.error(str(error))


def show(claim: recours.ClaimStatus) -> None:
    st.write(claim.sentence)
    if claim.pod_path and (document := Path(claim.pod_path)).is_file():
        st.download_button("Download", document.read_bytes(), file_name=document.name)


if __name__ == "__main__":
    main()
