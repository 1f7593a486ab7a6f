"""Share: indicators from governed columns, published per reader as STIX 2.1 over TAXII 2.1 and pushed to gateways."""
