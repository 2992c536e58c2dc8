"""The service's own way from a decoded picture to the model's pixels."""

from wader_export import pixels


def test_pictures_are_scaled_and_converted_as_the_services_pipeline_says():
    elements = [one.strip() for one in pixels.to_model().split("!")]
    assert elements[0].startswith("videoscale ") and "videoconvert" in elements[2], elements
    assert elements[1] == "video/x-raw,width=384,height=288" and elements[-1] == "video/x-raw,format=RGB", elements
    assert not any(word in pixels.to_model() for word in "{}#") and "name=" not in pixels.to_model()
